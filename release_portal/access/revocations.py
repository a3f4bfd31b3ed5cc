"""Revoke a grant: one lead proposes and it is suspended, another person confirms."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.grant_rules import GRANT, REVOKED, SUSPENDED
from release_portal.access.models import Grant, Revocation, Suspension
from release_portal.access.receipts import run_withdrawn
from release_portal.access.revocation_rules import REVOCATION_REASONS, decide_confirmation, decide_proposal
from release_portal.access.services import grant_subject, relations_of
from release_portal.appeals.links import notify_with_appeal
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, StaleVersion, error_of
from release_portal.epochs.services import advance_epoch, grant_key

LONGEST_TEXT = 5_000


def suspension_subject(suspension: Suspension) -> str:
    """Return the key under which a suspension is appealed."""
    return f"{grant_subject(suspension.grant)}:suspension:{suspension.pk}"


def revocation_subject(revocation: Revocation) -> str:
    """Return the key under which a revocation is appealed."""
    return f"{grant_subject(revocation.grant)}:revocation:{revocation.pk}"


def open_proposal(grant: Grant) -> Revocation | None:
    """Return the revocation that waits for its second person; it lives as long as its suspension."""
    return grant.revocations.filter(confirmed_at=None, suspension__ended_at=None).first()


def decide_revoking(actor: Actor, grant: Grant, name: str) -> Decision:
    """Decide whether the actor may propose or confirm a revocation now; pages ask the same as services."""
    decision = GRANT.decide(name, grant.state, relations_of(actor, grant))
    if not decision:
        return decision
    waiting = open_proposal(grant)
    if name == "propose":
        return decide_proposal(has_open=waiting is not None)
    return decide_confirmation(actor.id, waiting.by_id if waiting else None)


@transaction.atomic
def propose_revocation(
    actor: Actor, grant_id: str, *, code: str, text: str, expected_version: int, at: datetime
) -> Revocation:
    """Propose to end a grant for good; it is suspended until another person has looked at it.

    Args:
        actor: an access or partner lead who does not hold the grant.
        grant_id: which grant.
        code: reason from the list.
        text: what exactly; the holder reads it.
        expected_version: version of the grant that the lead saw.
        at: the time of proposing.
    """
    grant = _locked(actor, "propose", grant_id, expected_version)
    _check_reason(code, text)
    suspension = grant.open_suspension or _suspend(actor, grant, REVOCATION_REASONS[code], at)
    revocation = Revocation.objects.create(
        grant=grant, suspension=suspension, code=code, text=text.strip(), by_id=actor.id, by_name=actor.name, at=at
    )
    was_running = grant.state != SUSPENDED
    _set_state(grant, SUSPENDED)
    advance_epoch(grant_key(grant.pk))
    _record("grant.revocation_proposed", actor, grant, at, text.strip(), code=code)
    if was_running:
        run_withdrawn(grant, "suspended", at=at)
    _tell("grant_revocation_proposed", revocation, suspension_subject(suspension), at)
    return revocation


@transaction.atomic
def revoke_grant(actor: Actor, grant_id: str, *, reason: str, expected_version: int, at: datetime) -> Revocation:
    """The second person ends a grant for good; what it permitted stays stopped."""
    grant = _locked(actor, "revoke", grant_id, expected_version)
    revocation = open_proposal(grant)
    assert revocation is not None
    revocation.confirmed_by_id, revocation.confirmed_by_name, revocation.confirmed_at = actor.id, actor.name, at
    revocation.save(update_fields=["confirmed_by_id", "confirmed_by_name", "confirmed_at"])
    grant.suspensions.filter(ended_at=None).update(ended_at=at, ended_by_name=actor.name, end_reason="grant revoked")
    grant.ended_at = at
    _set_state(grant, REVOKED)
    advance_epoch(grant_key(grant.pk))
    _record("grant.revoked", actor, grant, at, reason.strip(), code=revocation.code)
    run_withdrawn(grant, "revoked", at=at)
    by = f"{revocation.by_name}, {actor.name}"
    _tell("grant_revoked", revocation, revocation_subject(revocation), at, by=by)
    return revocation


def _locked(actor: Actor, name: str, grant_id: str, expected_version: int) -> Grant:
    grant = Grant.objects.select_for_update().get(pk=grant_id)
    decision = decide_revoking(actor, grant, name)
    if not decision:
        raise error_of(decision)
    if grant.version != expected_version:
        raise StaleVersion(
            f"The grant changed while this form was open; it is {grant.state} now.", change="Look again, then decide."
        )
    return grant


def _check_reason(code: str, text: str) -> None:
    if code not in REVOCATION_REASONS:
        raise InvalidInput("Choose a reason from the list.", field="code")
    if not text.strip() or "\x00" in text or len(text) > LONGEST_TEXT:
        raise InvalidInput(f"Say what exactly, in 1 to {LONGEST_TEXT:,} characters.", field="explanation")


def _suspend(actor: Actor, grant: Grant, reason: str, at: datetime) -> Suspension:
    return Suspension.objects.create(
        grant=grant, state_before=grant.state, reason=reason, by_id=actor.id, by_name=actor.name, at=at
    )


def _set_state(grant: Grant, state: str) -> None:
    grant.state, grant.version = state, grant.version + 1
    grant.save(update_fields=["state", "version", "ended_at"])


def _record(kind: str, actor: Actor, grant: Grant, at: datetime, reason: str, **data: str) -> None:
    facts = {"state": grant.state, "version": grant.version, **data}
    record(kind, actor=actor, subject=grant_subject(grant), at=at, reason=reason, data=facts)


def _tell(kind: str, revocation: Revocation, subject: str, at: datetime, **more: str) -> None:
    grant = revocation.grant
    facts = {
        "grant": grant.pk,
        "purpose": grant.purpose,
        "reason": REVOCATION_REASONS[revocation.code],
        "text": revocation.text,
        **more,
    }
    notify_with_appeal(grant.holder, kind, facts, subject=subject, at=at, path=f"/grants/{grant.pk}/")
