"""A release policy as values: criteria, gates, approvals and waits (pure).

Policies are data; `policy_files` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

# Where a criterion's answer comes from: somebody attaches evidence, or the portal computes it from its own record.
EVIDENCE, COMPUTED = "evidence", "computed"
BLOCK, WARN, INFO = "block", "warn", "info"
HOLD, ABORT, STEP_DOWN = "hold", "abort", "step_down"
TWO_THIRDS = "two_thirds"


@dataclass(frozen=True)
class Criterion:
    """One requirement of a gate.

    Args:
        id: stable id, e.g. `C07`.
        title: sentence that states the requirement.
        kind: one of `evidence.kinds.KINDS`.
        source: `evidence` or `computed`.
        owner: slug of the role that can supply what is missing.
        comparator: `<=`, `>=`, `==`, or empty where presence is enough.
        threshold: figure that the value is held against; None without comparator.
        unit: what the figure counts, e.g. `days`; may be empty.
        ci_side: `lower` or `upper`: that end of the interval must satisfy the comparator; empty: the value itself.
        min_n: fewest measurements that count; 0 for any.
        max_age: how long evidence counts after it was measured; None for ever.
        needs_subject: whether the evidence must name the digest of the weights that are served.
        items: the set that the evidence must equal, where the kind is set_equal.
        severity: block, warn or info; only block keeps a gate shut.
        on_fail: what a monitor does when it fails later: hold, abort or step_down.
        is_waivable: whether a waiver may stand in for it.
        help: sentence that says how to supply it.
        rule: which computation answers it, where the source is `computed`: one of `computed_answers.RULES`.
    """

    id: str
    title: str
    kind: str
    source: str = EVIDENCE
    owner: str = "release_manager"
    comparator: str = ""
    threshold: Decimal | None = None
    unit: str = ""
    ci_side: str = ""
    min_n: int = 0
    max_age: timedelta | None = None
    needs_subject: bool = False
    items: tuple[str, ...] = ()
    severity: str = BLOCK
    on_fail: str = HOLD
    is_waivable: bool = True
    help: str = ""
    rule: str = ""


@dataclass(frozen=True)
class ApprovalNeed:
    """How many people in one role must approve.

    Args:
        role: slug of the role.
        count: number of people; None when `share` says it.
        share: `two_thirds` of the people who hold the role, rounded up; empty when `count` says it.
    """

    role: str
    count: int | None = 1
    share: str = ""

    def needed(self, holders: int) -> int:
        """Return how many approvals that is, when so many people hold the role; never none."""
        if self.share == TWO_THIRDS:
            return max(1, -(-2 * holders // 3))
        return max(1, self.count or 1)


@dataclass(frozen=True)
class Gate:
    """The requirement set of one move to a wider stage.

    Args:
        source: slug of the stage that is left.
        target: slug of the stage that is reached.
        criteria: every criterion, in the order of the page; ids are unique.
        approvals: who must approve; one person fills one place.
        cool_off: wait between approval and execution.
        soak: how long monitors watch after execution.
        monitors: ids of criteria that are assessed again while it soaks.
        is_irreversible: whether the word must be typed, because copies cannot be recalled.
    """

    source: str
    target: str
    criteria: tuple[Criterion, ...]
    approvals: tuple[ApprovalNeed, ...]
    cool_off: timedelta
    soak: timedelta
    monitors: tuple[str, ...] = ()
    is_irreversible: bool = False

    @property
    def ids(self) -> frozenset[str]:
        """The ids of the criteria: the set that an assessment must equal."""
        return frozenset(criterion.id for criterion in self.criteria)

    def criterion(self, criterion_id: str) -> Criterion | None:
        """Return the criterion of that id, or None when the gate does not ask for it."""
        return next((one for one in self.criteria if one.id == criterion_id), None)


@dataclass(frozen=True)
class ReleasePolicy:
    """One version of the rules, immutable, known by its digest.

    Args:
        name: slug, e.g. `preset`.
        version: counts from 1 within the name.
        title: what people read.
        digest: SHA-256 of the file's bytes.
        text: the file.
        gates: one for each move that it lists; a jump is a gate whose source is not the stage below.
        on_duty: fewest people on the duty roster while a size is widened.
        comment_window: how long the public may comment, at least.
        notice_period: how long other labs know beforehand, at least.
        review_working_days: how long an external reviewer has, at least, in working days.
        longest_waiver: how long a waiver counts, at most.
        review_every: how long a stage stands without a review, by stage slug; then it is held, later stepped down.
        sunset_hold: how long after a missed review the size is held.
        sunset_step_down: how long after a missed review it steps down by one stage, where that can be undone.
        fast_path: how long after a narrowing the stage held before can be reached on the fast path.
        fast_approvals: how many approvals the fast path needs.
        fast_criteria: ids of the criteria that must pass anew on the fast path.
        bank: every criterion as the file's bank states it, before a gate changes anything.
    """

    name: str
    version: int
    title: str
    digest: str
    text: str
    gates: tuple[Gate, ...]
    on_duty: int
    comment_window: timedelta
    notice_period: timedelta
    review_working_days: int
    longest_waiver: timedelta
    review_every: tuple[tuple[str, timedelta], ...]
    sunset_hold: timedelta
    sunset_step_down: timedelta
    fast_path: timedelta
    fast_approvals: int
    fast_criteria: tuple[str, ...]
    bank: tuple[Criterion, ...] = ()

    def criterion(self, criterion_id: str) -> Criterion | None:
        """Return the criterion of that id as the bank states it, or None when the policy knows none."""
        return next((one for one in self.bank if one.id == criterion_id), None)

    def gate(self, source: str, target: str) -> Gate | None:
        """Return the gate of this move, or None when the policy does not list it."""
        return next((gate for gate in self.gates if (gate.source, gate.target) == (source, target)), None)

    def gates_from(self, source: str) -> tuple[Gate, ...]:
        """Return every gate that leads away from a stage."""
        return tuple(gate for gate in self.gates if gate.source == source)

    def review_after(self, stage: str) -> timedelta | None:
        """Return how long the stage may stand without a review, or None for any time."""
        return dict(self.review_every).get(stage)
