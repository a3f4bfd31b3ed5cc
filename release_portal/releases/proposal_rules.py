"""The life of a proposal: its states, its commands, and the guards that are not transitions (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.releases.gate_policy import ApprovalNeed, Criterion, Gate, ReleasePolicy
from release_portal.releases.gates import Assessment, Outcome
from release_portal.releases.ladder import stage_of

NEW = "new"  # before the first save there is nothing; no row ever stands in it
DRAFT, COLLECTING, LOCKED, IN_REVIEW, APPROVED = "draft", "collecting", "locked", "in_review", "approved"
COOLING, SCHEDULED, EXECUTING, OBSERVING, COMPLETED = "cooling", "scheduled", "executing", "observing", "completed"
CHANGES_REQUESTED, REJECTED, EXPIRED = "changes_requested", "rejected", "expired"
ABORTED, ROLLED_BACK = "aborted", "rolled_back"
STATES = (
    *(DRAFT, COLLECTING, LOCKED, IN_REVIEW, CHANGES_REQUESTED, APPROVED, COOLING, SCHEDULED, EXECUTING),
    *(OBSERVING, COMPLETED, REJECTED, EXPIRED, ABORTED, ROLLED_BACK),
)
# A size has at most one of these; what is being observed has been carried out and does not bar the next proposal.
OPEN = (DRAFT, COLLECTING, LOCKED, IN_REVIEW, CHANGES_REQUESTED, APPROVED, COOLING, SCHEDULED, EXECUTING)
VOTED_ON = (LOCKED, IN_REVIEW, APPROVED, COOLING, SCHEDULED)  # states with a lock in force
EXECUTED = (OBSERVING, COMPLETED, ROLLED_BACK)
DECIDED = (*EXECUTED, REJECTED)  # a release decision was made, one way or the other

RELEASE_MANAGER = "release_manager"
APPROVERS = ("release_manager", "safety_reviewer", "access_lead", "partner_lead", "external_reviewer", "board")
_APPROVERS = " ".join(APPROVERS)
_BEFORE_EXECUTION = "draft collecting locked in_review changes_requested approved cooling scheduled"

# A vote and an execution need a person who has just proved who they are.
CONFIRMED_WITHIN = timedelta(minutes=10)
TYPED_WORD = "irreversible"

PROPOSAL = Lifecycle(
    "proposal",
    (NEW, *STATES),
    (
        command("open", "new", DRAFT, RELEASE_MANAGER, "the policy lists the move; no other proposal for the size"),
        command("edit", "draft collecting changes_requested", None, RELEASE_MANAGER, "rationale and conditions"),
        command("collect", "draft", COLLECTING, RELEASE_MANAGER, "the rationale is written"),
        command("lock", "collecting", LOCKED, RELEASE_MANAGER, "the gate is open; the checklist is complete"),
        command("submit", "locked", IN_REVIEW, RELEASE_MANAGER, "nothing that was locked has changed"),
        command("vote", "in_review", None, _APPROVERS, "never the proposer; once per lock; freshly authenticated"),
        command("answer", "in_review", None, RELEASE_MANAGER, "an objection or a condition"),
        command("request_changes", "in_review", CHANGES_REQUESTED, _APPROVERS, "never the proposer; all votes void"),
        command("veto", "in_review", REJECTED, "safety_reviewer external_reviewer board", "a vote that ends it"),
        command(
            "reopen",
            "changes_requested locked in_review approved cooling scheduled",
            COLLECTING,
            RELEASE_MANAGER,
            "the lock and all votes are void",
        ),
        command("approve", "in_review", APPROVED, "system", "quorum reached; no open objection or condition"),
        command("cool", "approved", COOLING, "system", "at once"),
        command("schedule", "cooling", SCHEDULED, RELEASE_MANAGER, "cool-off over; assessed anew; not in the past"),
        command("execute", "scheduled", EXECUTING, RELEASE_MANAGER, "no hold, freeze or drift; two people on duty"),
        command("observe", "executing", OBSERVING, "system", "in the same transaction"),
        command("complete", "observing", COMPLETED, "system", "soak over; every monitor passes"),
        command("expire", "locked in_review approved cooling scheduled", EXPIRED, "system", "evidence became stale"),
        command("abort", _BEFORE_EXECUTION, ABORTED, RELEASE_MANAGER, "with a reason"),
        command("roll_back", "observing completed", ROLLED_BACK, "system", "the size left the stage downwards"),
        command("move_policy", "draft collecting", None, RELEASE_MANAGER, "to the policy in force, with its diff"),
    ),
)


def relations(actor: Actor) -> frozenset[str]:
    """Return the roles under which the lifecycle knows the actor; a token never decides."""
    if actor.is_system:
        return frozenset({"system"})
    return actor.roles if actor.scopes is None else frozenset()


def decide_command(name: str, state: str, actor: Actor, proposer_id: str) -> Decision:
    """Decide whether the actor may give a command on a proposal; nobody votes on their own."""
    if name in ("vote", "request_changes", "veto") and actor.is_person and actor.id == proposer_id:
        return may_not(
            "own_proposal", "This is your own proposal.", f"proposal: {name}", "Other people must decide on it."
        )
    return PROPOSAL.decide(name, state, relations(actor))


def may_lock(assessment: Assessment, unanswered_items: Iterable[int]) -> Decision:
    """Decide whether the case is complete: the result set is the policy's, nothing that blocks is unmet, and the
    checklist is answered."""
    rule = "proposal: lock"
    if not assessment.is_whole:
        return not_now("set", "The results are not the set that the policy asks for.", rule, "Ask an operator.")
    if assessment.unmet:
        first = assessment.unmet[0]
        names = ", ".join(result.criterion.id for result in assessment.unmet)
        reason = f"The gate is shut by {names}. {first.criterion.id}: {first.reason}"
        return not_now("gate_shut", reason, rule, first.change or "Supply what is missing.")
    missing = list(unanswered_items)
    if missing:
        count = f"{len(missing)} answer{'s' if len(missing) > 1 else ''}"
        return not_now("checklist", f"The safety checklist lacks {count}.", rule, "Answer every item.")
    return allow("complete", "Every criterion is met and the checklist is answered.", rule)


@dataclass(frozen=True)
class ExecutionFacts:
    """What stands between a scheduled proposal and the move.

    Args:
        is_held: a hold or restriction is open on the size.
        is_frozen: a freeze is in force.
        narrowing_waits: a roll-back by one person waits for its confirmation.
        on_duty: people on the duty roster now.
        needed_on_duty: how many the policy asks for.
        cool_off_until: when the cool-off ends.
        execute_after: the time that was scheduled.
        drift: names of the locked parts that differ from now.
        stage: where the size stands.
        source: where the proposal starts.
        is_ended: the size was withdrawn or archived.
    """

    is_held: bool
    is_frozen: bool
    narrowing_waits: bool
    on_duty: int
    needed_on_duty: int
    cool_off_until: datetime
    execute_after: datetime
    drift: tuple[str, ...]
    stage: str
    source: str
    is_ended: bool = False


def may_execute(facts: ExecutionFacts, at: datetime) -> Decision:
    """Decide whether a scheduled proposal may be carried out now; each refusal names what to wait for or mend."""
    rule = "proposal: execute"
    if facts.is_ended:
        return not_now("ended", "The size was withdrawn.", rule, "A withdrawn size is not released again.")
    if facts.stage != facts.source:
        reason = f"The size stands at {stage_of(facts.stage).label} now, not where the proposal starts."
        return not_now("moved", reason, rule, "Abort this proposal and open another.")
    if at < facts.cool_off_until:
        return not_now("cooling", f"The cool-off ends on {_when(facts.cool_off_until)}.", rule, "Wait until then.")
    if at < facts.execute_after:
        return not_now("scheduled", f"It is scheduled for {_when(facts.execute_after)}.", rule, "Wait until then.")
    if facts.narrowing_waits:
        return not_now("narrowed", "A roll-back waits for its confirmation.", rule, "A second officer confirms it.")
    if facts.is_held:
        return not_now("held", "A hold blocks widening.", rule, "The hold must be released first.")
    if facts.is_frozen:
        return not_now("frozen", "A freeze is in force.", rule, "Wait for its end; the calendar shows it.")
    if facts.on_duty < facts.needed_on_duty:
        reason = f"{facts.on_duty} of {facts.needed_on_duty} people are on duty."
        return not_now("duty", reason, rule, "Complete the duty roster.")
    if facts.drift:
        reason = f"What was locked has changed: {', '.join(facts.drift)}."
        return not_now("drift", reason, rule, "Reopen the proposal, lock it anew, and have it voted on again.")
    return allow("execute", "Nothing stands in the way.", rule)


def may_schedule(cool_off_until: datetime, execute_after: datetime, at: datetime) -> Decision:
    """Decide whether the cool-off is over and the time is not before its end; UTC instants, so no clock shift helps."""
    rule = "proposal: schedule"
    if at < cool_off_until:
        return not_now("cooling", f"The cool-off ends on {_when(cool_off_until)}.", rule, "Wait until then.")
    if execute_after < cool_off_until:
        return not_now("early", "The time lies before the end of the cool-off.", rule, "Choose a later time.")
    return allow("schedule", "The cool-off is over.", rule)


def is_confirmed(confirmed_at: datetime, at: datetime, rule: str) -> Decision:
    """Decide whether the person has just proved who they are."""
    if not timedelta(0) <= at - confirmed_at <= CONFIRMED_WITHIN:
        return may_not("confirm", "Your password was not confirmed just now.", rule, "Enter your password again.")
    return allow("confirmed", "The password was confirmed just now.", rule)


def material_digest(material: Mapping[str, Any]) -> str:
    """Return the lock digest: SHA-256 over the canonical JSON of policy, assessment, card, checklist and manifest."""
    text = json.dumps(material, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def drift_of(locked: Mapping[str, Any], present: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the parts of the material that differ: results by criterion, the other parts by name."""
    parts = [part for part in sorted({*locked, *present} - {"results"}) if locked.get(part) != present.get(part)]
    old, new = dict(locked.get("results", {})), dict(present.get("results", {}))
    return (*parts, *(name for name in sorted({*old, *new}) if old.get(name) != new.get(name)))


def became_stale(assessment: Assessment) -> tuple[str, ...]:
    """Return the criteria that block and whose evidence has become stale."""
    return tuple(result.criterion.id for result in assessment.unmet if result.outcome is Outcome.STALE)


def _when(at: datetime) -> str:
    return f"{at:%d %B %Y, %H:%M UTC}"


def fast_gate(policy: ReleasePolicy, source: str, target: str) -> Gate:
    """Return the gate of the fast path: few criteria, all to be supplied anew, and any two approvals.

    Its approvals come from different roles, so that no one role undoes a roll-back alone.
    """
    wanted = {*policy.fast_criteria, "L01", "C27"}
    known: dict[str, Criterion] = {}
    for gate in policy.gates:
        if stage_of(gate.target).ordinal <= stage_of(target).ordinal:
            known.update({one.id: one for one in gate.criteria if one.id in wanted})
    roles = ("release_manager", "safety_reviewer", "board")[: policy.fast_approvals]
    needs = tuple(ApprovalNeed(role) for role in roles)
    full = policy.gate(source, target)
    soak = full.soak if full else max((gate.soak for gate in policy.gates), default=timedelta(0))
    is_irreversible = not stage_of(target).is_reversible
    monitors = tuple(one for one in known if one in policy.fast_criteria)
    return Gate(source, target, tuple(known.values()), needs, timedelta(0), soak, monitors, is_irreversible)


def is_fast_path_open(narrowed_at: datetime, held_before: str, target: str, within: timedelta, at: datetime) -> bool:
    """Whether a stage can be reached on the fast path: it was held before a roll-back that is recent enough."""
    return at - narrowed_at <= within and stage_of(target).ordinal <= stage_of(held_before).ordinal
