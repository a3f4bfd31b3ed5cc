"""Decisions of this room that can be appealed: refusals, suspensions, revocations."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from release_portal.access.application_rules import GRANTED, REFUSED
from release_portal.access.applications import path_of
from release_portal.access.grant_rules import CLOSED, REVOKED, SURRENDERED
from release_portal.access.models import Application, Revocation, SeatSuspension, Suspension
from release_portal.access.people.appealing import find_seat_suspension, restore_seat
from release_portal.access.restoring import reopen_refused, restore_revoked, restore_suspended
from release_portal.access.revocation_rules import took_part
from release_portal.accounts.models import User
from release_portal.appeals.handlers import Appealable, Effect, Handler, Order, register
from release_portal.appeals.rules import REFUSAL, REVOCATION, SUSPENSION
from release_portal.audit.models import AuditEvent
from release_portal.core.decisions import Decision, allow, not_now

RULE = "appeal: file"
# Looking at an application decides nothing.
NO_PART = ("application.claimed", "application.advised")


def declare() -> None:
    """Declare how each kind is found and carried out."""
    register(Handler(REFUSAL, lambda key: key.startswith("application:"), find_refusal, reopen_refused, refusals_of))
    register(Handler(SUSPENSION, lambda key: ":suspension:" in key, _find_stopped, _restore_stopped, suspensions_of))
    register(Handler(REVOCATION, lambda key: ":revocation:" in key, find_revocation, restore_revoked, revocations_of))


def refusals_of(user: User) -> Iterator[str]:
    """Yield the keys of the refusals of a person's applications."""
    for pk in user.applications.filter(state=REFUSED).values_list("pk", flat=True):
        yield f"application:{pk}"


def suspensions_of(user: User) -> Iterator[str]:
    """Yield the keys of the suspensions of a person's grants and seats."""
    for pk, seat in SeatSuspension.objects.filter(seat__person=user).values_list("pk", "seat_id"):
        yield f"seat:{seat}:suspension:{pk}"
    for pk, grant in Suspension.objects.filter(grant__holder=user).values_list("pk", "grant_id"):
        yield f"grant:{grant}:suspension:{pk}"


def revocations_of(user: User) -> Iterator[str]:
    """Yield the keys of the confirmed revocations of a person's grants."""
    confirmed = Revocation.objects.filter(grant__holder=user).exclude(confirmed_at=None)
    for pk, grant in confirmed.values_list("pk", "grant_id"):
        yield f"grant:{grant}:revocation:{pk}"


def _find_stopped(subject: str, at: datetime) -> Appealable | None:
    """A suspension stops a grant, or one seat of it."""
    return find_seat_suspension(subject, at) if subject.startswith("seat:") else find_suspension(subject, at)


def _restore_stopped(order: Order) -> Effect:
    return restore_seat(order) if order.subject.startswith("seat:") else restore_suspended(order)


def find_refusal(subject: str, at: datetime) -> Appealable | None:
    """Return a refused application; who touched it in between decides on no appeal."""
    found = Application.objects.select_related("applicant", "size").filter(pk=subject.partition(":")[2])
    application = found.exclude(decided_at=None).first()
    if application is None or application.decided_at is None:
        return None
    return Appealable(
        kind=REFUSAL,
        subject=subject,
        title=f"Refusal of access to {application.size.name}",
        person=application.applicant,
        decided_by=took_part(
            str(application.decided_by_id or ""), holder_id=str(application.applicant_id), more=_acted_on(subject)
        ),
        decided_at=application.decided_at,
        may_appeal=_refusal_stands(application),
        path=path_of(application),
    )


def _acted_on(subject: str) -> set[str]:
    events = AuditEvent.objects.about(subject).filter(actor_kind="user").exclude(kind__in=NO_PART)
    return set(events.values_list("actor_id", flat=True))


def _refusal_stands(application: Application) -> Decision:
    if application.state != REFUSED:
        return not_now("state", "This application is not refused.", RULE, "Only a refusal can be appealed.")
    others = Application.objects.filter(applicant=application.applicant_id, size=application.size_id)
    if others.open().exists() or others.filter(state=GRANTED, decided_at__gt=application.decided_at).exists():
        reason = "You applied again for this size since."
        return not_now("applied_again", reason, RULE, "Follow that application, or withdraw it first.")
    return _yes()


def find_suspension(subject: str, at: datetime) -> Appealable | None:
    """Return a suspension, in force or over: even a past one may have cost time."""
    suspension = Suspension.objects.select_related("grant__holder").filter(pk=_number(subject)).first()
    if suspension is None or subject != f"grant:{suspension.grant_id}:suspension:{suspension.pk}":
        return None
    grant = suspension.grant
    return Appealable(
        kind=SUSPENSION,
        subject=subject,
        title=f"Suspension of the grant {grant.pk}",
        person=grant.holder,
        decided_by=took_part(suspension.by_id, suspension.confirmed_by_id, holder_id=str(grant.holder_id)),
        decided_at=suspension.at,
        may_appeal=_grant_can_come_back(grant.state),
        path=f"/grants/{grant.pk}/",
    )


def find_revocation(subject: str, at: datetime) -> Appealable | None:
    """Return a revocation that was confirmed."""
    found = Revocation.objects.select_related("grant__holder", "suspension").exclude(confirmed_at=None)
    revocation = found.filter(pk=_number(subject)).first()
    if revocation is None or subject != f"grant:{revocation.grant_id}:revocation:{revocation.pk}":
        return None
    grant, suspension = revocation.grant, revocation.suspension
    assert revocation.confirmed_at is not None
    ids = (revocation.by_id, revocation.confirmed_by_id, suspension.by_id, suspension.confirmed_by_id)
    return Appealable(
        kind=REVOCATION,
        subject=subject,
        title=f"Revocation of the grant {grant.pk}",
        person=grant.holder,
        decided_by=took_part(*ids, holder_id=str(grant.holder_id)),
        decided_at=revocation.confirmed_at,
        may_appeal=_yes() if grant.state in (REVOKED, CLOSED) else _gone(grant.state),
        path=f"/grants/{grant.pk}/",
    )


def _grant_can_come_back(state: str) -> Decision:
    if state == REVOKED:
        reason = "This grant is revoked since."
        return not_now("revoked", reason, RULE, "Appeal against the revocation; it decides on the suspension too.")
    return _gone(state) if state == SURRENDERED else _yes()


def _gone(state: str) -> Decision:
    return not_now("state", f"This grant is {state}.", RULE, "There is nothing to give back.")


def _yes() -> Decision:
    return allow("stands", "This decision stands.", RULE)


def _number(subject: str) -> int:
    written = subject.rpartition(":")[2]
    return int(written) if written.isascii() and written.isdecimal() and len(written) < 19 else 0
