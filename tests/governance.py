"""What tests of release governance share: a small policy, evidence that passes, and the steps of a proposal."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from release_portal.accounts.models import User
from release_portal.core.actors import Actor
from release_portal.evidence import checklist
from release_portal.evidence.kinds import COUNT, DURATION, MEASURED, SET_EQUAL
from release_portal.evidence.lookups import newest_checklist
from release_portal.evidence.models import Evidence
from release_portal.evidence.rules import EvidenceDraft
from release_portal.evidence.services import attach_evidence, review_evidence
from release_portal.registry.models import ModelSize
from release_portal.releases.assessments import assess_proposal, gate_of
from release_portal.releases.checklists import sign_checklist
from release_portal.releases.executions import execute_proposal, schedule_proposal
from release_portal.releases.gate_policy import EVIDENCE, Criterion, Gate
from release_portal.releases.models import Lock, Proposal
from release_portal.releases.policy_services import adopt_policy, store_policy
from release_portal.releases.proposal_lookups import proposal_subject
from release_portal.releases.proposals import collect, lock_proposal, open_proposal, submit_proposal
from release_portal.releases.votes import cast_vote
from tests.world import World

STAGES = (
    *("registered", "disclosed", "partner", "research_hosted", "public_hosted"),
    *("research_weights", "open_weights", "open_science"),
)
# Who votes in which role, where the gate asks for it.
VOTERS = {
    "release_manager": "ada",
    "safety_reviewer": "ben",
    "partner_lead": "hal",
    "access_lead": "ivy",
    "external_reviewer": "gia",
    "board": "kim",
}

SMALL_POLICY = """\
name: small
version: {version}
title: A small policy for tests
on_duty: {on_duty}
comment_days: 0
notice_days: 0
review_working_days: 0
waiver_days: 30
review_every_days:
  partner: 180
sunset:
  hold_days: 14
  step_down_days: 30
fast_path:
  days: 14
  approvals: 2
  criteria: [C12]
criteria:
  C03:
    title: The threat register was reviewed
    kind: document
    owner: safety_reviewer
    max_age_days: 20
    help: Attach it.
  C07:
    title: The detector finds enough
    kind: measured
    owner: safety_reviewer
    comparator: ">="
    threshold: 0.5
    ci_side: lower
    min_n: 10
    needs_subject: {needs_subject}
    help: Measure it.
  C12:
    title: No severe misuse is open
    kind: attestation
    owner: safety_reviewer
    max_age_days: 10
    waivable: false
    help: Look, and say so.
  C27:
    title: Nothing is missing
    kind: set_equal
    computed: whole_set
    owner: release_manager
    waivable: false
    help: Supply what is missing.
  C28:
    title: Dissent is answered
    kind: attestation
    computed: objections
    owner: release_manager
    help: Answer it.
  L01:
    title: The next smaller size stands there
    kind: measured
    computed: smaller_size
    owner: release_manager
    help: Advance it first.
gates:
{gates}
"""


def small_policy(
    *, version: int = 1, on_duty: int = 2, cool_off: int = 1, soak: int = 1, needs_subject: bool = True
) -> str:
    """Return the text of a policy with six criteria and two approvals for each step."""
    gates = []
    for number, (source, target) in enumerate(zip(STAGES, STAGES[1:], strict=False)):
        adds = "{C03, C07, C12, C27, C28, L01}" if number == 0 else "{}"
        gates.append(
            f"  - from: {source}\n    to: {target}\n    adds: {adds}\n"
            "    evidence_days: 30\n    approvals: {release_manager: 1, safety_reviewer: 1}\n"
            f"    cool_off_days: {cool_off}\n    soak_days: {soak}\n    monitors: [C12]\n"
            + ("    irreversible: true\n" if number >= 5 else "")  # open weights and wider
        )
    return SMALL_POLICY.format(
        version=version, on_duty=on_duty, gates="".join(gates), needs_subject=str(needs_subject).lower()
    )


def adopt(world: World, text: str, *, at: datetime | None = None) -> str:
    """Store a policy and put it in force for everything; return its digest."""
    at = at or world.at
    stored = store_policy(world.actor("ada"), text, at=at)
    adopt_policy(world.actor("ada"), stored.digest, family=None, reason="tests", at=at)
    return stored.digest


def passing_draft(criterion: Criterion, size: ModelSize, at: datetime) -> EvidenceDraft:
    """Return evidence that passes a criterion."""
    revision = size.revisions.filter(is_current=True).first()
    subject = revision.digest if revision and criterion.needs_subject else ""
    more: dict[str, Any] = {"subject_digest": subject}
    if criterion.kind in (MEASURED, COUNT, DURATION):
        value = criterion.threshold if criterion.threshold is not None else Decimal(1)
        more["value"] = value
    if criterion.kind == MEASURED:
        more |= {"ci_low": value, "ci_high": value, "n": max(criterion.min_n, 100)}
        more |= {"harness": "tests 1", "dataset": "tests"}
    elif criterion.kind == COUNT:
        more["n"] = max(criterion.min_n, int(value), 1)
    elif criterion.kind == SET_EQUAL:
        more["items"] = criterion.items
    else:
        more["statement"] = "Written down in full for the tests."
    return EvidenceDraft(criterion.id, criterion.kind, f"{criterion.id} as tests want it", at, **more)


def attach(world: World, size: ModelSize, draft: EvidenceDraft, *, at: datetime, by: str = "ivy") -> Evidence:
    """Attach evidence over whatever is there."""
    newest = Evidence.objects.filter(size=size, criterion=draft.criterion).order_by("-pk").first()
    return attach_evidence(world.actor(by), size, draft, expected_newest=newest.pk if newest else None, at=at)


def accept(world: World, evidence: Evidence, *, at: datetime, by: str = "ben") -> None:
    """Let another person accept evidence."""
    review_evidence(world.actor(by), evidence.size, evidence.pk, "accepted", at=at)


def supply(world: World, size: ModelSize, gate: Gate, *, at: datetime, leave_out: tuple[str, ...] = ()) -> None:
    """Attach and accept what a gate asks for, except for what is left out."""
    for criterion in gate.criteria:
        if criterion.source == EVIDENCE and criterion.id not in leave_out:
            accept(world, attach(world, size, passing_draft(criterion, size, at), at=at), at=at)


def answer_checklist(
    world: World, proposal: Proposal, *, at: datetime, reason: str = "Answered for the tests."
) -> None:
    """Sign a complete checklist for a proposal."""
    answers = {str(item.id): {"answer": "yes", "reason": reason, "evidence": []} for item in checklist.ITEMS}
    newest = newest_checklist(proposal.size, proposal_subject(proposal))
    number = newest.number if newest else 0
    sign_checklist(world.actor("jo"), proposal.pk, answers, expected_number=number, at=at)


def fresh(proposal: Proposal) -> Proposal:
    """Read a proposal again."""
    return Proposal.objects.select_related("size__standing", "size__family", "policy").get(pk=proposal.pk)


def propose(world: World, size: ModelSize, target: str, *, at: datetime, by: str = "jo") -> Proposal:
    """Open a proposal and begin to collect."""
    opened = open_proposal(world.actor(by), size, target, rationale="Researchers asked for it.", at=at)
    return collect(world.actor(by), opened.pk, expected_version=opened.version, at=at)


def lock(world: World, proposal: Proposal, *, at: datetime, by: str = "jo") -> Lock:
    """Lock a proposal as it stands."""
    return lock_proposal(world.actor(by), proposal.pk, preview={}, expected_version=fresh(proposal).version, at=at)


def vote(
    world: World, proposal: Proposal, name: str, role: str, verdict: str = "approve", *, at: datetime, digest: str = ""
) -> None:
    """Cast a vote on the lock in force."""
    current = fresh(proposal).current_lock
    cast_vote(
        world.actor(name),
        proposal.pk,
        lock_digest=digest or (current.digest if current else ""),
        role=role,
        verdict=verdict,
        reason="Read it all.",
        conflict_note="none",
        confirmed_at=at,
        at=at,
    )


def review(world: World, proposal: Proposal, *, at: datetime) -> Proposal:
    """Lock, submit, and let everybody whom the gate asks for approve."""
    lock(world, proposal, at=at)
    submit_proposal(world.actor("jo"), proposal.pk, expected_version=fresh(proposal).version, at=at)
    for need in gate_of(fresh(proposal)).approvals:
        vote(world, proposal, VOTERS[need.role], need.role, at=at)
    return fresh(proposal)


def carry_out(world: World, proposal: Proposal, *, at: datetime, typed: str = "irreversible") -> Proposal:
    """Schedule and execute an approved proposal once its cool-off is over."""
    proposal = fresh(proposal)
    when = max(at, proposal.cool_off_until or at)
    jo = world.actor("jo")
    schedule_proposal(jo, proposal.pk, execute_after=when, expected_version=proposal.version, at=when)
    version = fresh(proposal).version
    execute_proposal(jo, proposal.pk, typed=typed, confirmed_at=when, preview={}, expected_version=version, at=when)
    return fresh(proposal)


def advance(world: World, size: ModelSize, target: str, *, at: datetime) -> Proposal:
    """Take a size through the whole gate under whatever policy is in force."""
    proposal = propose(world, size, target, at=at)
    supply(world, size, gate_of(proposal), at=at)
    answer_checklist(world, proposal, at=at)
    return carry_out(world, review(world, proposal, at=at), at=at)


def unmet(proposal: Proposal, at: datetime) -> dict[str, str]:
    """Return the outcome of each criterion that keeps the gate shut."""
    return {result.criterion.id: result.outcome.value for result in assess_proposal(fresh(proposal), at).unmet}


def person(world: World, name: str) -> User:
    """Return an account of the cast."""
    return world.people[name]


def actors(world: World, *names: str) -> list[Actor]:
    """Return the actors of these names."""
    return [world.actor(name) for name in names]


HOUR, DAY = timedelta(hours=1), timedelta(days=1)
