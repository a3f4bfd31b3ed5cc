"""Decide a proposal and carry it out: approve, schedule, execute, complete, and what ends it by itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from release_portal.accounts.duty import on_duty
from release_portal.core.actors import Actor, system_actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotNow
from release_portal.registry.models import ModelSize
from release_portal.releases import proposal_rules as rules
from release_portal.releases.assessments import assess_proposal, gate_of
from release_portal.releases.gates import Assessment
from release_portal.releases.ladder import stage_of
from release_portal.releases.models import Freeze, Hold, Narrowing, Proposal, Standing
from release_portal.releases.policy_services import policy_of
from release_portal.releases.preparation import check
from release_portal.releases.proposal_lookups import drift_since_lock, material_of, tally_of
from release_portal.releases.proposal_rules import OBSERVING, PROPOSAL, ExecutionFacts, material_digest
from release_portal.releases.proposal_steps import begin, close, finish, locked, refuse_drift
from release_portal.releases.services import set_stage

GATE = system_actor("gate")


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
    check(PROPOSAL.decide("approve", proposal.state, {"system"}))
    finish(proposal, "approve", GATE, at, fields=("approved_at", "cool_off_until"), data={"lock": lock.digest})
    check(PROPOSAL.decide("cool", proposal.state, {"system"}))
    finish(proposal, "cool", GATE, at, data={"until": proposal.cool_off_until.isoformat()})
    return True


@transaction.atomic
def schedule_proposal(
    actor: Actor, proposal_id: int, *, execute_after: datetime, expected_version: int, at: datetime
) -> Proposal:
    """Set the time of the move once the cool-off is over and the case still stands."""
    proposal = begin(actor, proposal_id, "schedule", expected_version)
    check(rules.may_schedule(_cool_off(proposal), execute_after, at))
    refuse_drift(proposal, at)
    proposal.execute_after = execute_after
    data = {"execute_after": execute_after.isoformat()}
    return finish(proposal, "schedule", actor, at, fields=("execute_after",), data=data)


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
    proposal = begin(actor, proposal_id, "execute", expected_version)
    check(rules.is_confirmed(confirmed_at, at, "proposal: execute"))
    standing = Standing.objects.select_for_update().get(size=proposal.size)
    assessment = assess_proposal(proposal, at)
    check(rules.may_execute(_execution_facts(proposal, standing, assessment, at), at))
    _check_typed(proposal, typed)
    lock = proposal.locks.get(voided_at=None)
    finish(proposal, "execute", actor, at, data={"lock": lock.digest, "preview": material_digest(preview)})
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
    return finish(proposal, "observe", GATE, at, fields=fields, data={"until": proposal.soak_until.isoformat()})


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


def reject(proposal: Proposal, actor: Actor, reason: str, at: datetime) -> Proposal:
    """End a proposal by a veto; the lock stays as what was voted on."""
    return close(proposal, "veto", actor, reason, at)


def complete(proposal: Proposal, actor: Actor, at: datetime) -> Proposal:
    """End the observation of a proposal whose monitors all pass."""
    check(PROPOSAL.decide("complete", proposal.state, {actor.kind.value}))
    return close(proposal, "complete", actor, "The observation is over and every monitor passes.", at)


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
    check(rules.decide_command("expire", proposal.state, actor, proposal.opened_by_id))
    close(proposal, "expire", actor, f"Evidence became stale: {', '.join(stale)}.", at)
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
            check(PROPOSAL.decide("roll_back", proposal.state, {"system"}))
            close(proposal, "roll_back", actor, f"The size was rolled back to {stage_of(stage).label}.", at)
            count += 1
    return count
