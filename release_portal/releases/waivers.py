"""Ask for waivers and agree to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Count

from release_portal.accounts.models import RoleAssignment
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import NotFound
from release_portal.releases.assessments import gate_of
from release_portal.releases.gate_policy import ApprovalNeed
from release_portal.releases.models import Proposal, Waiver, WaiverVote
from release_portal.releases.policy_services import policy_of
from release_portal.releases.preparation import check, check_input, locked_proposal, named, needed_text, subject_of
from release_portal.releases.preparation_rules import instant, may_prepare
from release_portal.releases.waiver_rules import (
    WaiverFacts,
    criterion_problem,
    end_problem,
    may_agree,
    may_ask,
    people_needed,
    waivable,
)


@transaction.atomic
def ask_waiver(
    actor: Actor, proposal_id: int, *, criterion: str, reason: str, ends_at: datetime, at: datetime
) -> Waiver:
    """Ask for an exception from one criterion of a proposal, until a certain time.

    Raises:
        NotAllowed, NotNow: the rule says no; or a waiver of this criterion is asked for or in force.
        InvalidInput: the gate does not ask for the criterion, it is never waived, or it would last too long.
    """
    proposal = locked_proposal(proposal_id, may_prepare, "waiver: ask")
    check(may_ask(actor, criterion, [facts_of(proposal, one) for one in waivers_of(proposal)], at))
    gate = gate_of(proposal)
    possible = ", ".join(waivable(gate)) or "none"
    check_input("criterion", criterion_problem(gate, criterion), f"Criteria that can be waived here: {possible}.")
    reason = needed_text("reason", reason, "Write why; the public timeline shows it.")
    check_input("ends_at", end_problem(ends_at, at, policy_of(proposal.policy).longest_waiver))
    waiver = Waiver.objects.create(
        proposal=proposal,
        criterion=criterion,
        reason=reason,
        asked_by_id=actor.id,
        asked_by=actor.name,
        asked_at=at,
        ends_at=instant(ends_at),
    )
    _record("waiver.asked", actor, waiver, at, reason)
    return waiver


@transaction.atomic
def agree_to_waiver(actor: Actor, proposal_id: int, waiver_id: int, *, role: str, reason: str, at: datetime) -> Waiver:
    """Agree to a waiver in one role; with one person more than the gate needs approvals it is granted.

    Raises:
        NotAllowed, NotNow: the rule says no.
        NotFound: the proposal has no such waiver.
        InvalidInput: no reason.
    """
    proposal = locked_proposal(proposal_id, may_prepare, "waiver: agree")
    waiver = waivers_of(proposal, waiver_id)[0]
    needs = gate_of(proposal).approvals
    check(may_agree(actor, role, facts_of(proposal, waiver), at))
    reason = needed_text("reason", reason, "Write why; the record keeps it.")
    WaiverVote.objects.create(
        waiver=waiver,
        person_id=actor.id,
        person=actor.name,
        role=role,
        reason=reason,
        at=at,
        asked_by_id=waiver.asked_by_id,
    )
    _record("waiver.agreed", actor, waiver, at, reason, role=role)
    _grant_if_enough(actor, waiver, needs, at)
    return waiver


def _grant_if_enough(actor: Actor, waiver: Waiver, needs: Sequence[ApprovalNeed], at: datetime) -> None:
    """Grant with the last agreement; the event bears the name of whoever gave it."""
    agreed = WaiverVote.objects.filter(waiver=waiver).count()  # waiver.votes was read before this one was cast
    if agreed < people_needed(needs, role_holders()):
        return
    waiver.granted_at = at
    waiver.save(update_fields=["granted_at"])
    _record("waiver.granted", actor, waiver, at, waiver.reason, ends_at=waiver.ends_at.isoformat())


def waivers_of(proposal: Proposal, waiver_id: int | None = None) -> list[Waiver]:
    """Return the waivers of a proposal with who agreed, or only one; raises NotFound when that is not there."""
    found = proposal.waivers.prefetch_related("votes")
    if waiver_id is None:
        return list(found)
    waivers = list(found.filter(pk=waiver_id))
    if not waivers:
        raise NotFound("There is no such waiver.", change="The proposal's page lists its waivers.")
    return waivers


def facts_of(proposal: Proposal, waiver: Waiver) -> WaiverFacts:
    """Return what the rules need to know of a waiver."""
    return WaiverFacts(
        criterion=waiver.criterion,
        asked_by_id=waiver.asked_by_id,
        proposer_id=proposal.opened_by_id,
        ends_at=waiver.ends_at,
        is_granted=waiver.granted_at is not None,
        agreed_ids=tuple(vote.person_id for vote in waiver.votes.all()),
    )


def people_needed_for(proposal: Proposal) -> int:
    """Return how many people must agree to a waiver of this proposal."""
    return people_needed(gate_of(proposal).approvals, role_holders())


def role_holders() -> dict[str, int]:
    """Return how many people with a live account hold each role."""
    held = RoleAssignment.objects.filter(user__is_active=True).order_by("role")
    return dict(held.values_list("role").annotate(Count("user")))


def _record(kind: str, actor: Actor, waiver: Waiver, at: datetime, reason: str, **more: str) -> None:
    proposal = waiver.proposal
    data = named(proposal, waiver=waiver.pk, criterion=waiver.criterion, **more)
    record(kind, actor=actor, subject=subject_of(proposal), at=at, reason=reason, data=data)
