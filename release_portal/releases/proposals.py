"""Carry a proposal through its life: open, collect, lock, review, schedule, execute, observe, and every way out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, transaction

from release_portal.accounts.duty import on_duty
from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotFound, NotNow, StaleVersion, error_of
from release_portal.evidence.checklist import unanswered
from release_portal.evidence.lookups import newest_checklist
from release_portal.registry.models import ModelSize
from release_portal.releases import proposal_rules as rules
from release_portal.releases.assessments import assess_proposal, gate_of
from release_portal.releases.gates import Assessment
from release_portal.releases.ladder import LADDER, stage_of
from release_portal.releases.models import Freeze, Hold, Lock, Narrowing, PolicyVersion, Proposal, Standing
from release_portal.releases.policy_services import policy_diff, policy_in_force, policy_of
from release_portal.releases.proposal_lookups import (
    drift_since_lock,
    fast_path_for,
    material_of,
    proposal_subject,
    results_in_words,
    tally_of,
)
from release_portal.releases.proposal_rules import (
    DRAFT,
    NEW,
    OBSERVING,
    PROPOSAL,
    ExecutionFacts,
    material_digest,
)
from release_portal.releases.services import set_stage, size_subject

GATE = system_actor("gate")
LONGEST_TEXT = 10_000
# What the record says after each command.
EVENTS = {
    "open": "proposal.opened",
    "edit": "proposal.edited",
    "move_policy": "proposal.policy_moved",
    "collect": "proposal.collecting",
    "lock": "proposal.locked",
    "submit": "proposal.submitted",
    "vote": "proposal.voted",
    "answer": "proposal.answered",
    "request_changes": "proposal.changes_requested",
    "veto": "proposal.rejected",
    "reopen": "proposal.reopened",
    "approve": "proposal.approved",
    "cool": "proposal.cooling",
    "schedule": "proposal.scheduled",
    "execute": "proposal.executing",
    "observe": "proposal.observing",
    "complete": "proposal.completed",
    "monitor": "proposal.monitored",
    "expire": "proposal.expired",
    "abort": "proposal.aborted",
    "roll_back": "proposal.rolled_back",
}


# --- Preparing -------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_proposal(
    actor: Actor,
    size: ModelSize,
    target: str,
    *,
    rationale: str,
    conditions: str = "",
    fast_path: bool = False,
    at: datetime,
) -> Proposal:
    """Begin to prepare a move of a size to a wider stage, under the policy in force.

    Args:
        rationale: why, and for whose benefit; the public reads it.
        conditions: what is promised with the move.
        fast_path: return to a stage that was held before a recent roll-back.

    Raises:
        InvalidInput: unknown stage, or no rationale.
        NotAllowed, NotNow: the rule says no; another proposal for this size is open; the policy lists no such move.
    """
    _check(rules.decide_command("open", NEW, actor, ""))
    check_text(rationale, "rationale", "Write why the size should move, and who gains.")
    check_text(conditions, "conditions", "", optional=True)
    standing = Standing.objects.select_for_update().get(size=size)
    stored = _policy_for(size, standing, target, fast_path=fast_path, at=at)
    proposal = Proposal(
        size=size,
        source=standing.stage,
        target=target,
        policy=stored,
        state=DRAFT,
        rationale=rationale.strip(),
        conditions=conditions.strip(),
        is_fast_path=fast_path,
        opened_by_id=actor.id,
        opened_by=actor.name,
        opened_at=at,
    )
    _insert(proposal)
    _record("open", actor, proposal, at, proposal.rationale, {"target": target, "policy": stored.digest})
    return proposal


def _policy_for(size: ModelSize, standing: Standing, target: str, *, fast_path: bool, at: datetime) -> PolicyVersion:
    if target not in {stage.slug for stage in LADDER}:
        raise InvalidInput(f"{target!r} is not a stage.", field="target", change="Choose a stage from the list.")
    if standing.ending:
        raise NotNow("The size was withdrawn.", code="ended", rule="proposal: open", change="Nothing can be proposed.")
    policy = policy_in_force(size, at)
    if fast_path:
        _check(fast_path_for(standing, target, within=policy.fast_path, at=at))
    elif policy.gate(standing.stage, target) is None:
        listed = ", ".join(stage_of(gate.target).label for gate in policy.gates_from(standing.stage)) or "none"
        reason = f"The policy lists no move from {standing.place.label} to {stage_of(target).label}."
        raise NotNow(reason, code="no_gate", rule="proposal: open", change=f"It lists: {listed}.")
    return PolicyVersion.objects.get(digest=policy.digest)


def _insert(proposal: Proposal) -> None:
    try:
        with transaction.atomic():
            proposal.save(force_insert=True)
    except IntegrityError as error:
        other = Proposal.objects.open().filter(size=proposal.size).first()
        if other is None:
            raise
        raise NotNow(
            f"Proposal {other.pk} for this size is open already.",
            code="open_proposal",
            rule="proposal: open",
            change="Go on with that one, or abort it first.",
        ) from error


@transaction.atomic
def edit_proposal(
    actor: Actor, proposal_id: int, *, rationale: str, conditions: str, expected_version: int, at: datetime
) -> Proposal:
    """Change the rationale or the conditions while nothing is locked."""
    proposal = _begin(actor, proposal_id, "edit", expected_version)
    check_text(rationale, "rationale", "Write why the size should move, and who gains.")
    check_text(conditions, "conditions", "", optional=True)
    proposal.rationale, proposal.conditions = rationale.strip(), conditions.strip()
    return _finish(proposal, "edit", actor, at, fields=("rationale", "conditions"))


@transaction.atomic
def move_policy(actor: Actor, proposal_id: int, *, expected_version: int, at: datetime) -> Proposal:
    """Move an open proposal to the policy that is in force now; the record keeps the difference."""
    proposal = _begin(actor, proposal_id, "move_policy", expected_version)
    old, new = policy_of(proposal.policy), policy_in_force(proposal.size, at)
    if old.digest == new.digest:
        raise NotNow(
            "The policy of this proposal is the one in force.",
            code="same_policy",
            rule="proposal: move policy",
            change="Nothing is left to do.",
        )
    if not proposal.is_fast_path and new.gate(proposal.source, proposal.target) is None:
        raise NotNow(
            "The policy in force does not list this move.",
            code="no_gate",
            rule="proposal: move policy",
            change="Keep the old policy, or abort.",
        )
    proposal.policy = PolicyVersion.objects.get(digest=new.digest)
    changes = [str(line) for line in policy_diff(old, new)]
    data = {"from": old.digest, "to": new.digest, "changes": changes}
    return _finish(proposal, "move_policy", actor, at, fields=("policy",), data=data)


@transaction.atomic
def collect(actor: Actor, proposal_id: int, *, expected_version: int, at: datetime) -> Proposal:
    """Begin to collect evidence: the case is stated."""
    return _finish(_begin(actor, proposal_id, "collect", expected_version), "collect", actor, at)


@transaction.atomic
def lock_proposal(
    actor: Actor, proposal_id: int, *, preview: Mapping[str, Any], expected_version: int, at: datetime
) -> Lock:
    """Lock all that is voted on under one digest; refused at each missing piece, with the reason.

    Args:
        preview: who gains and loses what; kept with the lock.
    """
    proposal = _begin(actor, proposal_id, "lock", expected_version)
    assessment = assess_proposal(proposal, at)
    checklist = newest_checklist(proposal.size, proposal_subject(proposal))
    _check(rules.may_lock(assessment, unanswered(checklist.answers if checklist else {})))
    material = material_of(proposal, assessment)
    lock = Lock.objects.create(
        proposal=proposal,
        number=proposal.locks.count() + 1,
        digest=material_digest(material),
        material=material,
        results=results_in_words(assessment),
        preview=dict(preview),
        locked_by_id=actor.id,
        locked_by=actor.name,
        locked_at=at,
    )
    _finish(proposal, "lock", actor, at, data={"lock": lock.digest, "number": lock.number})
    return lock


@transaction.atomic
def submit_proposal(actor: Actor, proposal_id: int, *, expected_version: int, at: datetime) -> Proposal:
    """Hand the lock to those who vote, if nothing has changed since."""
    proposal = _begin(actor, proposal_id, "submit", expected_version)
    refuse_drift(proposal, at)
    return _finish(proposal, "submit", actor, at)


@transaction.atomic
def request_changes(actor: Actor, proposal_id: int, *, reason: str, expected_version: int, at: datetime) -> Proposal:
    """Send a proposal back: the lock and every vote on it are void."""
    proposal = _begin(actor, proposal_id, "request_changes", expected_version)
    check_text(reason, "reason", "Say what should change.")
    void_lock(proposal, reason, at)
    return _finish(proposal, "request_changes", actor, at, reason=reason)


@transaction.atomic
def reopen_proposal(actor: Actor, proposal_id: int, *, reason: str, expected_version: int, at: datetime) -> Proposal:
    """Go back to collecting: the lock and every vote on it are void."""
    proposal = _begin(actor, proposal_id, "reopen", expected_version)
    check_text(reason, "reason", "Say why it is opened again.")
    void_lock(proposal, reason, at)
    proposal.approved_at = proposal.cool_off_until = proposal.execute_after = None
    fields = ("approved_at", "cool_off_until", "execute_after")
    return _finish(proposal, "reopen", actor, at, reason=reason, fields=fields)


@transaction.atomic
def abort_proposal(actor: Actor, proposal_id: int, *, reason: str, expected_version: int, at: datetime) -> Proposal:
    """End a proposal before it is carried out."""
    proposal = _begin(actor, proposal_id, "abort", expected_version)
    check_text(reason, "reason", "Say why it ends.")
    return _close(proposal, "abort", actor, reason, at)


# --- Deciding --------------------------------------------------------------------------------------------------------


def conclude_vote(proposal: Proposal, at: datetime) -> bool:
    """Approve and start the cool-off when the quorum is reached and nothing is open; return whether it did.

    Runs inside the transaction of the vote or answer that may have completed it.
    """
    if proposal.state != rules.IN_REVIEW or not tally_of(proposal).is_reached:
        return False
    lock = proposal.locks.filter(voided_at=None).get()
    if drift_since_lock(proposal, lock, at):
        return False
    at = at.astimezone(UTC)  # elapsed time: a local zone would lose the hour of daylight saving
    proposal.approved_at, proposal.cool_off_until = at, at + gate_of(proposal).cool_off
    _check(PROPOSAL.decide("approve", proposal.state, {"system"}))
    _finish(proposal, "approve", GATE, at, fields=("approved_at", "cool_off_until"), data={"lock": lock.digest})
    _check(PROPOSAL.decide("cool", proposal.state, {"system"}))
    _finish(proposal, "cool", GATE, at, data={"until": proposal.cool_off_until.isoformat()})
    return True


@transaction.atomic
def schedule_proposal(
    actor: Actor, proposal_id: int, *, execute_after: datetime, expected_version: int, at: datetime
) -> Proposal:
    """Set the time of the move once the cool-off is over and the case still stands."""
    proposal = _begin(actor, proposal_id, "schedule", expected_version)
    _check(rules.may_schedule(_cool_off(proposal), execute_after, at))
    refuse_drift(proposal, at)
    proposal.execute_after = execute_after
    data = {"execute_after": execute_after.isoformat()}
    return _finish(proposal, "schedule", actor, at, fields=("execute_after",), data=data)


@transaction.atomic
def execute_proposal(
    actor: Actor,
    proposal_id: int,
    *,
    typed: str,
    confirmed_at: datetime,
    preview: Mapping[str, Any],
    expected_version: int,
    at: datetime,
) -> Proposal:
    """Carry a scheduled proposal out: the stage, the record and the observation in one transaction.

    Args:
        typed: the word `irreversible`, where copies cannot be recalled.
        confirmed_at: when the person last proved who they are.
        preview: who gains and loses what, as it is now; the record keeps its digest.

    Raises:
        NotNow: held, frozen, not enough people on duty, the cool-off runs, or what was locked has changed.
    """
    proposal = _begin(actor, proposal_id, "execute", expected_version)
    _check(rules.is_confirmed(confirmed_at, at, "proposal: execute"))
    standing = Standing.objects.select_for_update().get(size=proposal.size)
    assessment = assess_proposal(proposal, at)
    _check(rules.may_execute(_execution_facts(proposal, standing, assessment, at), at))
    _check_typed(proposal, typed)
    lock = proposal.locks.get(voided_at=None)
    _finish(proposal, "execute", actor, at, data={"lock": lock.digest, "preview": material_digest(preview)})
    set_stage(
        actor,
        standing,
        proposal.target,
        kind="stage.advanced",
        reason=proposal.rationale,
        at=at,
        data={"proposal": proposal.pk, "lock": lock.digest},
        granted=proposal.target,
    )
    proposal.executed_at, proposal.executed_by = at, actor.name
    proposal.soak_until = at.astimezone(UTC) + gate_of(proposal).soak
    fields = ("executed_at", "executed_by", "soak_until")
    return _finish(proposal, "observe", GATE, at, fields=fields, data={"until": proposal.soak_until.isoformat()})


def decide_execute(proposal: Proposal, assessment: Assessment, at: datetime) -> Decision:
    """Decide whether a scheduled proposal could be carried out now; the page shows it before anybody tries."""
    return rules.may_execute(_execution_facts(proposal, proposal.size.standing, assessment, at), at)


def _execution_facts(proposal: Proposal, standing: Standing, assessment: Assessment, at: datetime) -> ExecutionFacts:
    size, lock = proposal.size, proposal.locks.get(voided_at=None)
    frozen = Freeze.objects.in_force(at).filter(family=None) | Freeze.objects.in_force(at).filter(family=size.family_id)
    return ExecutionFacts(
        is_held=Hold.objects.open().filter(size=size).exists(),
        is_frozen=frozen.exists(),
        narrowing_waits=Narrowing.objects.unconfirmed().filter(size=size).exists(),
        on_duty=len(on_duty(at)),
        needed_on_duty=policy_of(proposal.policy).on_duty,
        cool_off_until=_cool_off(proposal),
        execute_after=proposal.execute_after or _cool_off(proposal),
        drift=rules.drift_of(lock.material, material_of(proposal, assessment)),
        stage=standing.stage,
        source=proposal.source,
        is_ended=bool(standing.ending),
    )


def _check_typed(proposal: Proposal, typed: str) -> None:
    if gate_of(proposal).is_irreversible and typed.strip().lower() != rules.TYPED_WORD:
        raise InvalidInput(
            "Copies that people make cannot be recalled.", field="typed", change=f"Type the word {rules.TYPED_WORD}."
        )


def _cool_off(proposal: Proposal) -> datetime:
    if proposal.cool_off_until is None:
        raise NotNow(
            "The proposal is not approved.",
            code="state",
            rule="proposal: schedule",
            change="It must be voted on first.",
        )
    return proposal.cool_off_until


# --- What the system does --------------------------------------------------------------------------------------------


def expire_proposals(actor: Actor, *, at: datetime) -> int:
    """End every locked proposal whose evidence has become stale; return how many."""
    waiting = Proposal.objects.filter(state__in=rules.VOTED_ON).values_list("pk", flat=True)
    return sum(_expire(actor, proposal_id, at) for proposal_id in list(waiting))


@transaction.atomic
def _expire(actor: Actor, proposal_id: int, at: datetime) -> bool:
    proposal = locked(proposal_id)
    stale = rules.became_stale(assess_proposal(proposal, at)) if proposal.state in rules.VOTED_ON else ()
    if not stale:
        return False
    _check(rules.decide_command("expire", proposal.state, actor, proposal.opened_by_id))
    _close(proposal, "expire", actor, f"Evidence became stale: {', '.join(stale)}.", at)
    return True


@transaction.atomic
def mark_rolled_back(actor: Actor, size: ModelSize, stage: str, *, at: datetime) -> int:
    """Mark what was carried out and no longer stands, after a roll-back to a stage; return how many."""
    count = 0
    executed = Proposal.objects.select_for_update(of=("self",)).filter(
        size=size, state__in=(OBSERVING, rules.COMPLETED)
    )
    for proposal in executed:
        if stage_of(proposal.target).ordinal > stage_of(stage).ordinal:
            _check(PROPOSAL.decide("roll_back", proposal.state, {"system"}))
            _close(proposal, "roll_back", actor, f"The size was rolled back to {stage_of(stage).label}.", at)
            count += 1
    return count


# --- Shared by the services of a proposal ----------------------------------------------------------------------------


def locked(proposal_id: int) -> Proposal:
    """Return a proposal with its row locked for the transaction."""
    found = Proposal.objects.select_for_update(of=("self",)).select_related("size__standing", "policy")
    proposal = found.filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound("There is no such proposal.", change="Proposals are listed on one page.")
    return proposal


def refuse_drift(proposal: Proposal, at: datetime) -> Lock:
    """Return the lock in force, or refuse because what was locked has changed."""
    lock = proposal.locks.filter(voided_at=None).first()
    drift = drift_since_lock(proposal, lock, at) if lock else ("lock",)
    if lock is None or drift:
        raise NotNow(
            f"What was locked has changed: {', '.join(drift)}.",
            code="drift",
            rule="proposal: lock",
            change="Reopen the proposal, lock it anew, and have it voted on again.",
        )
    return lock


def void_lock(proposal: Proposal, reason: str, at: datetime) -> None:
    """End the lock in force; votes on it count for nothing from now on."""
    proposal.locks.filter(voided_at=None).update(voided_at=at, void_reason=reason.strip())


def record_step(
    name: str, actor: Actor, proposal: Proposal, at: datetime, reason: str = "", data: Mapping[str, Any] | None = None
) -> None:
    """Write the event of a command that leaves the state as it is."""
    _record(name, actor, proposal, at, reason, data or {})


def reject(proposal: Proposal, actor: Actor, reason: str, at: datetime) -> Proposal:
    """End a proposal by a veto; the lock stays as what was voted on."""
    return _close(proposal, "veto", actor, reason, at)


def complete(proposal: Proposal, actor: Actor, at: datetime) -> Proposal:
    """End the observation of a proposal whose monitors all pass."""
    _check(PROPOSAL.decide("complete", proposal.state, {actor.kind.value}))
    return _close(proposal, "complete", actor, "The observation is over and every monitor passes.", at)


def _begin(actor: Actor, proposal_id: int, name: str, expected_version: int) -> Proposal:
    proposal = locked(proposal_id)
    _check(rules.decide_command(name, proposal.state, actor, proposal.opened_by_id))
    if proposal.version != expected_version:
        words = proposal.state.replace("_", " ")
        raise StaleVersion(
            f"The proposal changed while this form was open; it is {words} now.",
            change="Your text is kept here; look at what changed, then send it again.",
        )
    return proposal


def _finish(
    proposal: Proposal,
    name: str,
    actor: Actor,
    at: datetime,
    *,
    reason: str = "",
    fields: tuple[str, ...] = (),
    data: Mapping[str, Any] | None = None,
) -> Proposal:
    proposal.state = PROPOSAL.command(name).target or proposal.state
    proposal.version += 1
    proposal.save(update_fields=["state", "version", *fields])
    _record(name, actor, proposal, at, reason.strip(), data or {})
    return proposal


def _close(proposal: Proposal, name: str, actor: Actor, reason: str, at: datetime) -> Proposal:
    proposal.closed_at, proposal.closing_reason = at, reason.strip()
    return _finish(proposal, name, actor, at, reason=reason, fields=("closed_at", "closing_reason"))


def _record(name: str, actor: Actor, proposal: Proposal, at: datetime, reason: str, data: Mapping[str, Any]) -> None:
    content = {"proposal": proposal.pk, "state": proposal.state, "version": proposal.version, **data}
    record(EVENTS[name], actor=actor, subject=size_subject(proposal.size.slug), at=at, reason=reason, data=content)


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)


def check_text(text: str, field: str, change: str, *, optional: bool = False) -> None:
    """Raise InvalidInput for a text that is missing, too long, or no text."""
    if "\x00" in text:
        raise InvalidInput("The text holds a character that is no text.", field=field, change="Remove it.")
    if len(text) > LONGEST_TEXT:
        reason = f"It has {len(text):,} characters; at most {LONGEST_TEXT:,} are kept."
        raise InvalidInput(reason, field=field, change="Shorten it.")
    if not text.strip() and not optional:
        raise InvalidInput("A text is needed.", field=field, change=change)
