"""Prepare a proposal: open, edit, collect, lock, submit, send back, abort."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction

from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotNow
from release_portal.evidence.checklist import unanswered
from release_portal.evidence.lookups import newest_checklist
from release_portal.registry.models import ModelSize
from release_portal.releases import proposal_rules as rules
from release_portal.releases.assessments import assess_proposal
from release_portal.releases.ladder import LADDER, stage_of
from release_portal.releases.models import Lock, PolicyVersion, Proposal, Standing
from release_portal.releases.policy_services import policy_diff, policy_in_force, policy_of
from release_portal.releases.preparation import check
from release_portal.releases.proposal_lookups import fast_path_for, material_of, proposal_subject, results_in_words
from release_portal.releases.proposal_rules import DRAFT, NEW, material_digest
from release_portal.releases.proposal_steps import (
    begin,
    check_text,
    close,
    finish,
    record_step,
    refuse_drift,
    void_lock,
)


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
    check(rules.decide_command("open", NEW, actor, ""))
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
    record_step("open", actor, proposal, at, proposal.rationale, {"target": target, "policy": stored.digest})
    return proposal


def _policy_for(size: ModelSize, standing: Standing, target: str, *, fast_path: bool, at: datetime) -> PolicyVersion:
    if target not in {stage.slug for stage in LADDER}:
        raise InvalidInput(f"{target!r} is not a stage.", field="target", change="Choose a stage from the list.")
    if standing.ending:
        raise NotNow("The size was withdrawn.", code="ended", rule="proposal: open", change="Nothing can be proposed.")
    policy = policy_in_force(size, at)
    if fast_path:
        check(fast_path_for(standing, target, within=policy.fast_path, at=at))
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
    proposal = begin(actor, proposal_id, "edit", expected_version)
    check_text(rationale, "rationale", "Write why the size should move, and who gains.")
    check_text(conditions, "conditions", "", optional=True)
    proposal.rationale, proposal.conditions = rationale.strip(), conditions.strip()
    return finish(proposal, "edit", actor, at, fields=("rationale", "conditions"))


@transaction.atomic
def move_policy(actor: Actor, proposal_id: int, *, expected_version: int, at: datetime) -> Proposal:
    """Move an open proposal to the policy that is in force now; the record keeps the difference."""
    proposal = begin(actor, proposal_id, "move_policy", expected_version)
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
    return finish(proposal, "move_policy", actor, at, fields=("policy",), data=data)


@transaction.atomic
def collect(actor: Actor, proposal_id: int, *, expected_version: int, at: datetime) -> Proposal:
    """Begin to collect evidence: the case is stated."""
    return finish(begin(actor, proposal_id, "collect", expected_version), "collect", actor, at)


@transaction.atomic
def lock_proposal(
    actor: Actor, proposal_id: int, *, preview: Mapping[str, Any], expected_version: int, at: datetime
) -> Lock:
    """Lock all that is voted on under one digest; refused at each missing piece, with the reason.

    Args:
        preview: who gains and loses what; kept with the lock.
    """
    proposal = begin(actor, proposal_id, "lock", expected_version)
    assessment = assess_proposal(proposal, at)
    checklist = newest_checklist(proposal.size, proposal_subject(proposal))
    check(rules.may_lock(assessment, unanswered(checklist.answers if checklist else {})))
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
    finish(proposal, "lock", actor, at, data={"lock": lock.digest, "number": lock.number})
    return lock


@transaction.atomic
def submit_proposal(actor: Actor, proposal_id: int, *, expected_version: int, at: datetime) -> Proposal:
    """Hand the lock to those who vote, if nothing has changed since."""
    proposal = begin(actor, proposal_id, "submit", expected_version)
    refuse_drift(proposal, at)
    return finish(proposal, "submit", actor, at)


@transaction.atomic
def request_changes(actor: Actor, proposal_id: int, *, reason: str, expected_version: int, at: datetime) -> Proposal:
    """Send a proposal back: the lock and every vote on it are void."""
    proposal = begin(actor, proposal_id, "request_changes", expected_version)
    check_text(reason, "reason", "Say what should change.")
    void_lock(proposal, reason, at)
    return finish(proposal, "request_changes", actor, at, reason=reason)


@transaction.atomic
def reopen_proposal(actor: Actor, proposal_id: int, *, reason: str, expected_version: int, at: datetime) -> Proposal:
    """Go back to collecting: the lock and every vote on it are void."""
    proposal = begin(actor, proposal_id, "reopen", expected_version)
    check_text(reason, "reason", "Say why it is opened again.")
    void_lock(proposal, reason, at)
    proposal.approved_at = proposal.cool_off_until = proposal.execute_after = None
    fields = ("approved_at", "cool_off_until", "execute_after")
    return finish(proposal, "reopen", actor, at, reason=reason, fields=fields)


@transaction.atomic
def abort_proposal(actor: Actor, proposal_id: int, *, reason: str, expected_version: int, at: datetime) -> Proposal:
    """End a proposal before it is carried out."""
    proposal = begin(actor, proposal_id, "abort", expected_version)
    check_text(reason, "reason", "Say why it ends.")
    return close(proposal, "abort", actor, reason, at)
