"""Read a release policy from its file: everything in it is checked, and what is wrong is named with its line (pure)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from hashlib import sha256
from pathlib import Path

from release_portal.accounts.roles import Role
from release_portal.evidence.kinds import KINDS
from release_portal.releases.comparisons import COMPARATORS, HARD_END
from release_portal.releases.computed_answers import RULE_NAMES
from release_portal.releases.gate_policy import (
    ABORT,
    BLOCK,
    COMPUTED,
    EVIDENCE,
    HOLD,
    INFO,
    STEP_DOWN,
    TWO_THIRDS,
    WARN,
    ApprovalNeed,
    Criterion,
    Gate,
    ReleasePolicy,
)
from release_portal.releases.ladder import LADDER, stage_of
from release_portal.releases.yaml_tables import PolicyFileError, Table, Value, read

__all__ = ["PACKAGED", "PolicyFileError", "packaged", "packaged_text", "parse"]

PACKAGED = ("preset", "demo-fast")
FOLDER = Path(__file__).with_name("policies")

STAGES = tuple(stage.slug for stage in LADDER)
ROLES = tuple(role.value for role in Role)
INTERVAL_KINDS = ("measured", "external")
FIGURE_KINDS = (*INTERVAL_KINDS, "count", "duration")
SLUG = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
CRITERION_ID = re.compile(r"[A-Z][0-9]{2}[a-z]?")
MOST_DAYS = 36_500
MOST_PEOPLE = 100

POLICY_KEYS = (
    "name", "version", "title", "on_duty", "comment_days", "notice_days", "review_working_days", "waiver_days",
    "review_every_days", "sunset", "fast_path", "criteria", "gates",
)  # fmt: skip
CRITERION_KEYS = (
    "title", "kind", "computed", "owner", "comparator", "threshold", "unit", "ci_side", "min_n", "max_age_days",
    "needs_subject", "items", "severity", "on_fail", "waivable", "help",
)  # fmt: skip
GATE_KEYS = (
    "from", "to", "adds", "criteria", "evidence_days", "approvals", "cool_off_days", "soak_days", "monitors",
    "irreversible",
)  # fmt: skip


def packaged_text(name: str) -> str:
    """Return the file of a packaged policy; raises KeyError for an unknown name."""
    if name not in PACKAGED:
        raise KeyError(name)
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")


@cache
def packaged(name: str) -> ReleasePolicy:
    """Return a policy that comes with the portal; raises KeyError for an unknown name."""
    return parse(packaged_text(name))


def parse(text: str) -> ReleasePolicy:
    """Return the policy that a file states.

    Raises:
        PolicyFileError: anything in it is wrong; the error names the line and the reason.
    """
    file = read(text, "the policy")
    file.refuse_unknown(POLICY_KEYS)
    bank = _bank(file.need("criteria"))
    sunset = _table(file, "sunset", ("hold_days", "step_down_days"))
    fast = _table(file, "fast_path", ("days", "approvals", "criteria"))
    return ReleasePolicy(
        name=file.need("name").match("name", SLUG, "a slug such as preset"),
        version=file.need("version").whole("version", least=1),
        title=file.need("title").text("title"),
        digest=sha256(text.encode()).hexdigest(),
        text=text,
        gates=_gates(file.need("gates"), bank),
        on_duty=file.need("on_duty").whole("on_duty", most=MOST_PEOPLE),
        comment_window=_days(file, "comment_days"),
        notice_period=_days(file, "notice_days"),
        review_working_days=file.need("review_working_days").whole("review_working_days", most=MOST_DAYS),
        longest_waiver=_days(file, "waiver_days"),
        review_every=_review_every(file),
        sunset_hold=_days(sunset, "hold_days"),
        sunset_step_down=_days(sunset, "step_down_days"),
        fast_path=_days(fast, "days"),
        fast_approvals=fast.need("approvals").whole("approvals", least=1, most=MOST_PEOPLE),
        fast_criteria=fast.need("criteria").words("the criteria of fast_path", tuple(bank)),
        bank=tuple(draft.criterion for draft in bank.values()),
    )


def _table(file: Table, key: str, known: tuple[str, ...]) -> Table:
    table = file.need(key).table(key)
    table.refuse_unknown(known)
    return table


def _days(table: Table, key: str) -> timedelta:
    return timedelta(days=table.need(key).whole(key, most=MOST_DAYS))


def _review_every(file: Table) -> tuple[tuple[str, timedelta], ...]:
    table = file.need("review_every_days").table("review_every_days")
    table.refuse_unknown(STAGES)
    return tuple((stage, _days(table, stage)) for stage in table.entries)


# --- Criteria ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Draft:
    """A criterion with the values it was read from, so that a gate may change some of them."""

    criterion: Criterion
    entries: Mapping[str, Value]


def _bank(value: Value) -> dict[str, _Draft]:
    table = value.table("criteria")
    return {name: _draft(name, table.keys[name], entry, {}) for name, entry in table.entries.items()}


def _draft(name: str, key: Value, value: Value, base: Mapping[str, Value]) -> _Draft:
    """Read one criterion; a gate's own words come on top of those of the bank."""
    what = f"the criterion {name}"
    table = value.table(what)
    table.refuse_unknown(CRITERION_KEYS)
    # An empty value takes back what the bank says.
    entries = {word: entry for word, entry in {**base, **table.entries}.items() if not entry.is_empty}
    whole = Table(what, value, entries, table.keys)
    key.match("the id of a criterion", CRITERION_ID, "a letter with two digits, such as C07")
    criterion = _criterion(name, whole)
    _check_figures(criterion, whole)
    return _Draft(criterion, entries)


def _criterion(name: str, table: Table) -> Criterion:
    computed, age, threshold = table.get("computed"), table.get("max_age_days"), table.get("threshold")
    items, min_n, help_text = table.get("items"), table.get("min_n"), table.get("help")
    return Criterion(
        id=name,
        title=table.need("title").text("title"),
        kind=table.need("kind").one_of("kind", tuple(KINDS)),
        source=COMPUTED if computed else EVIDENCE,
        owner=table.need("owner").one_of("owner", ROLES),
        comparator=_choice(table, "comparator", tuple(COMPARATORS), ""),
        threshold=threshold.number("threshold") if threshold else None,
        unit=_text(table, "unit"),
        ci_side=_choice(table, "ci_side", ("lower", "upper"), ""),
        min_n=min_n.whole("min_n") if min_n else 0,
        max_age=timedelta(days=age.whole("max_age_days", least=1, most=MOST_DAYS)) if age else None,
        needs_subject=_flag(table, "needs_subject", default=False),
        items=items.words("items") if items else (),
        severity=_choice(table, "severity", (BLOCK, WARN, INFO), BLOCK),
        on_fail=_choice(table, "on_fail", (HOLD, ABORT, STEP_DOWN), HOLD),
        is_waivable=_flag(table, "waivable", default=True),
        help=help_text.text("help") if help_text else "",
        rule=computed.one_of("computed", RULE_NAMES) if computed else "",
    )


def _choice(table: Table, key: str, allowed: tuple[str, ...], default: str) -> str:
    value = table.get(key)
    return value.one_of(key, allowed) if value else default


def _text(table: Table, key: str) -> str:
    value = table.get(key)
    return value.text(key) if value else ""


def _flag(table: Table, key: str, *, default: bool) -> bool:
    value = table.get(key)
    return value.flag(key) if value else default


def _check_figures(criterion: Criterion, table: Table) -> None:
    """Refuse figures that contradict each other: such a criterion could never be judged, or only in the wrong way."""
    threshold, side = table.get("threshold"), table.get("ci_side")
    if threshold is not None and not criterion.comparator:
        threshold.refuse("a threshold needs a comparator")
    if threshold is None and criterion.comparator:
        table.need("comparator").refuse("a comparator needs a threshold")
    if criterion.source == COMPUTED:
        _check_computed(criterion, table)
    elif threshold is not None and criterion.kind not in FIGURE_KINDS:
        threshold.refuse(f"the kind {criterion.kind} has no figure to hold against a threshold")
    if side is not None:
        _check_side(criterion, side)
    if criterion.kind == "set_equal" and criterion.source == EVIDENCE and not criterion.items:
        table.at.refuse(f"{table.what} asks for an equal set and lists no items")
    if criterion.items and criterion.kind != "set_equal":
        table.need("items").refuse(f"the kind {criterion.kind} has no items")


def _check_side(criterion: Criterion, side: Value) -> None:
    if criterion.kind not in INTERVAL_KINDS or criterion.source == COMPUTED:
        side.refuse(f"ci_side needs a kind with an interval ({', '.join(INTERVAL_KINDS)}) that evidence answers")
    if not criterion.comparator:
        side.refuse("ci_side needs a comparator and a threshold")
    hard = HARD_END.get(criterion.comparator)
    if hard is None:
        side.refuse(f"an interval cannot be held against {criterion.comparator}")
    if criterion.ci_side != hard:  # the easy end is easier to satisfy the less was measured
        side.refuse(f"with {criterion.comparator} the {hard} end of the interval must satisfy the threshold")


def _check_computed(criterion: Criterion, table: Table) -> None:
    for key in ("min_n", "max_age_days", "needs_subject", "items"):
        entry = table.get(key)
        if entry is not None:
            entry.refuse(f"{key} is for evidence, and the portal computes this criterion")
    threshold = table.get("threshold")
    if threshold is None:
        return
    if criterion.comparator != ">=":
        table.need("comparator").refuse("a computed criterion is compared with >=")
    threshold.whole("threshold", most=MOST_DAYS)


# --- Gates ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _GateDraft:
    """A gate as the file lists it."""

    table: Table
    source: str
    target: str

    @property
    def is_step(self) -> bool:
        """Whether it leads to the next stage; anything longer is a jump."""
        return stage_of(self.target).ordinal - stage_of(self.source).ordinal == 1


def _gates(value: Value, bank: Mapping[str, _Draft]) -> tuple[Gate, ...]:
    drafts: dict[tuple[str, str], _GateDraft] = {}
    for item in value.items("gates"):
        draft = _gate_draft(item)
        if (draft.source, draft.target) in drafts:
            item.refuse(f"the gate from {draft.source} to {draft.target} stands twice")
        drafts[draft.source, draft.target] = draft
    if not drafts:
        value.refuse("the policy lists no gate")
    reached: dict[str, dict[str, _Draft]] = {}  # criteria of the step that reaches a stage
    for draft in sorted(drafts.values(), key=lambda one: stage_of(one.target).ordinal):
        if draft.is_step:
            reached[draft.target] = _criteria_of_step(draft, bank, reached)
    return tuple(_gate(draft, _criteria_of(draft, bank, reached)) for draft in drafts.values())


def _gate_draft(item: Value) -> _GateDraft:
    table = item.table("the gate")
    table.refuse_unknown(GATE_KEYS)
    source = table.need("from").one_of("stage", STAGES)
    target = table.need("to").one_of("stage", STAGES)
    if stage_of(target).ordinal <= stage_of(source).ordinal:
        table.need("to").refuse(f"a gate goes up, and {target} is not above {source}")
    return _GateDraft(Table(f"the gate to {target}", item, table.entries, table.keys), source, target)


def _criteria_of_step(
    draft: _GateDraft, bank: Mapping[str, _Draft], reached: Mapping[str, dict[str, _Draft]]
) -> dict[str, _Draft]:
    """Return the criteria of a step: those of the gate below with what it adds, or its own whole list."""
    adds, own = draft.table.get("adds"), draft.table.get("criteria")
    if (adds is None) == (own is None):
        draft.table.at.refuse(f"{draft.table.what} needs either `adds` or `criteria`")
    below = {} if own is not None else reached.get(draft.source, {})
    return {**below, **_listed(own or draft.table.need("adds"), draft.table.what, bank, below)}


def _criteria_of(
    draft: _GateDraft, bank: Mapping[str, _Draft], reached: Mapping[str, dict[str, _Draft]]
) -> dict[str, _Draft]:
    """Return the criteria of a gate; a jump asks for all that the skipped steps ask for, unless it lists its own."""
    if draft.is_step:
        return reached[draft.target]
    adds, own = draft.table.get("adds"), draft.table.get("criteria")
    if adds is not None:
        adds.refuse("a jump asks for what the skipped gates ask for, or lists its own `criteria`; it cannot add")
    if own is not None:
        return _listed(own, draft.table.what, bank, {})
    union: dict[str, _Draft] = {}
    first, last = stage_of(draft.source).ordinal + 1, stage_of(draft.target).ordinal
    for stage in LADDER[first : last + 1]:
        if stage.slug not in reached:
            draft.table.at.refuse(f"{draft.table.what} skips {stage.slug}, and the policy lists no step there")
        union |= reached[stage.slug]
    return union


def _listed(value: Value, what: str, bank: Mapping[str, _Draft], below: Mapping[str, _Draft]) -> dict[str, _Draft]:
    """Return the criteria that a gate lists by id, each as the bank or the gate below states it or with changes."""
    table = value.table(f"the criteria of {what}")
    found: dict[str, _Draft] = {}
    for name, changes in table.entries.items():
        key = table.keys[name]
        if name not in bank:
            key.refuse(f"the criterion {name} does not stand in the bank")
        if name in below and changes.is_empty:
            key.refuse(f"the criterion {name} is asked for by the gate below already")
        base = below.get(name, bank[name])
        found[name] = base if changes.is_empty else _draft(name, key, changes, base.entries)
    return found


def _gate(draft: _GateDraft, criteria: Mapping[str, _Draft]) -> Gate:
    table = draft.table
    if not criteria:
        table.at.refuse(f"{table.what} asks for nothing")
    ttl = timedelta(days=table.need("evidence_days").whole("evidence_days", least=1, most=MOST_DAYS))
    monitors = table.get("monitors")
    return Gate(
        source=draft.source,
        target=draft.target,
        criteria=tuple(_aged(one.criterion, ttl) for one in criteria.values()),
        approvals=_approvals(table),
        cool_off=_days(table, "cool_off_days"),
        soak=_days(table, "soak_days"),
        monitors=monitors.words(f"the monitors of {table.what}", tuple(criteria)) if monitors else (),
        is_irreversible=_flag(table, "irreversible", default=False),
    )


def _aged(criterion: Criterion, ttl: timedelta) -> Criterion:
    """Return the criterion with the gate's time to live, where its own is not shorter."""
    if criterion.source == COMPUTED:
        return criterion
    return replace(criterion, max_age=min(criterion.max_age or ttl, ttl))


def _approvals(table: Table) -> tuple[ApprovalNeed, ...]:
    approvals = table.need("approvals").table(f"the approvals of {table.what}")
    approvals.refuse_unknown(ROLES)
    if not approvals.entries:
        approvals.at.refuse(f"{table.what} needs at least one approval")
    return tuple(_approval(role, value) for role, value in approvals.entries.items())


def _approval(role: str, value: Value) -> ApprovalNeed:
    if not value.is_empty and value.text("an approval") == TWO_THIRDS:
        return ApprovalNeed(role, None, TWO_THIRDS)
    return ApprovalNeed(role, value.whole("an approval", least=1, most=MOST_PEOPLE))
