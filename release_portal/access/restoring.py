"""What an appeal that was right gives back: the grant with its lost time, or the application with its clock."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from release_portal.access import application_rules
from release_portal.access.applications import WHEN, application_subject
from release_portal.access.applications import path_of as application_path
from release_portal.access.grant_rules import CLOSED, EXPIRED, GRANT, REVOKED, SUSPENDED
from release_portal.access.models import Application, Grant, Revocation, Suspension
from release_portal.access.queue.tiers import keep_tier
from release_portal.access.review_desk import largest_open
from release_portal.access.revocation_rules import end_with_time_back
from release_portal.access.services import grant_subject
from release_portal.accounts.models import User
from release_portal.appeals.handlers import Effect, Order
from release_portal.appeals.rules import OVERTURNED
from release_portal.audit.services import record
from release_portal.core.errors import NotNow, error_of
from release_portal.epochs.services import advance_epoch, grant_key
from release_portal.notices.models import Notice
from release_portal.notices.services import notify, notify_each

# Notices after which an appeal that was right has to be told as well.
TOLD_BY = ("grant_suspended", "grant_revocation_proposed", "grant_revoked")


def restore_suspended(order: Order) -> Effect:
    """Lift a suspension that an appeal found wrong; when it was unfounded its time goes onto the end."""
    suspension = Suspension.objects.select_related("grant").get(pk=order.subject.rpartition(":")[2])
    grant = Grant.objects.select_for_update().get(pk=suspension.grant_id)
    still_stopped = suspension.ended_at is None or (
        grant.state in (EXPIRED, CLOSED) and suspension.ended_at >= grant.ends_at
    )
    until = order.at if still_stopped or suspension.ended_at is None else suspension.ended_at
    before = _facts(grant)
    _add_time(grant, suspension.at, until, order)
    if suspension.ended_at is None:
        suspension.ended_at, suspension.ended_by_name = order.at, order.by.name
        suspension.end_reason = f"appeal {order.appeal_id}"
        suspension.save(update_fields=["ended_at", "ended_by_name", "end_reason"])
    return _reinstated(grant, suspension.state_before if still_stopped else grant.state, before, order)


def restore_revoked(order: Order) -> Effect:
    """Give a revoked grant back; the time since it was stopped goes onto its end when the appeal was right in full."""
    revocation = Revocation.objects.select_related("suspension").get(pk=order.subject.rpartition(":")[2])
    grant = Grant.objects.select_for_update().get(pk=revocation.grant_id)
    if grant.state not in (REVOKED, CLOSED):
        raise _nothing_left(f"This grant is {grant.state}.")
    before = _facts(grant)
    _add_time(grant, revocation.suspension.at, order.at, order)
    revocation.restored_at = order.at
    revocation.save(update_fields=["restored_at"])
    return _reinstated(grant, revocation.suspension.state_before, before, order)


def reopen_refused(order: Order) -> Effect:
    """Open a refused application again with a new clock; what stood there stays in the appeal and in the record."""
    found = Application.objects.select_for_update(of=("self",)).select_related("applicant", "size")
    application = found.get(pk=order.subject.partition(":")[2])
    decision = application_rules.APPLICATION.decide("reopen", application.state, {"appeal"})
    if not decision:
        raise error_of(decision)
    before = _decision_of(application)
    _clear_decision(application, order.at)
    assert application.due_at is not None
    data = {"appeal": order.appeal_id}
    record(
        "application.reopened",
        actor=order.by,
        subject=application_subject(application),
        at=order.at,
        reason=order.reason,
        data=data,
    )
    due = f"{application.due_at:{WHEN}}"
    facts = {"application": application.pk, "size": application.size.name, "due": due}
    notify(application.applicant, "application_reopened", facts, at=order.at, path=application_path(application))
    return Effect(f"The application {application.pk} is open again; other people decide by {due}.", before)


def _decision_of(application: Application) -> dict[str, str]:
    assert application.decided_at is not None
    return {
        "state": application.state,
        "decided_at": application.decided_at.isoformat(),
        "decided_by": application.decided_by_name,
        "code": application.decision_code,
        "text": application.decision_text,
    }


def _clear_decision(application: Application, at: datetime) -> None:
    application.state, application.version = application_rules.SUBMITTED, application.version + 1
    application.due_at = application_rules.due_after(at, keep_tier(application, largest_open(), at))
    application.escalation, application.escalates_at, application.assigned_to = 0, None, None
    application.decided_at, application.decided_by = None, None
    application.decided_by_name = application.decision_code = application.decision_text = ""
    try:
        with transaction.atomic():
            application.save()
    except IntegrityError as error:
        raise NotNow(
            "Another application for this size is open.",
            code="open_application",
            rule="application: reopen",
            change="The applicant withdraws it first, or it is decided.",
        ) from error


def _add_time(grant: Grant, stopped_at: datetime, until: datetime, order: Order) -> None:
    if order.outcome == OVERTURNED:
        grant.ends_at = end_with_time_back(grant.ends_at, stopped_at, until)


def _reinstated(grant: Grant, state: str, before: dict[str, str], order: Order) -> Effect:
    if grant.state in (SUSPENDED, EXPIRED, REVOKED, CLOSED) and state != grant.state:
        decision = GRANT.decide("reinstate", grant.state, {"appeal"})
        if not decision:
            raise error_of(decision)
    if state != grant.state:
        grant.closings.filter(voided_at=None).update(voided_at=order.at)
        grant.ended_at = None
    grant.state, grant.version = state, grant.version + 1
    grant.save(update_fields=["state", "version", "ends_at", "ended_at"])
    advance_epoch(grant_key(grant.pk))
    counts = grant.state_at(order.at)
    data = {"state": state, "version": grant.version, "ends_at": grant.ends_at.isoformat(), "appeal": order.appeal_id}
    record(
        "grant.reinstated", actor=order.by, subject=grant_subject(grant), at=order.at, reason=order.reason, data=data
    )
    _tell_everybody(grant, counts, order)
    return Effect(f"The grant {grant.pk} is {counts} and ends on {grant.ends_at:{WHEN}}.", before)


def _tell_everybody(grant: Grant, state: str, order: Order) -> None:
    """Everybody who was told that the grant was taken back is told that it is given back."""
    told = Notice.objects.filter(kind__in=TOLD_BY, path=f"/grants/{grant.pk}/").values("recipient")
    people = User.objects.filter(pk__in=told) | User.objects.filter(pk=grant.holder_id)
    facts = {
        "grant": grant.pk,
        "purpose": grant.purpose,
        "state": state,
        "reason": order.reason,
        "end": f"{grant.ends_at:{WHEN}}",
    }
    notify_each(people.distinct(), "grant_reinstated", facts, at=order.at, path=f"/grants/{grant.pk}/")


def _facts(grant: Grant) -> dict[str, str]:
    return {"state": grant.state, "ends_at": grant.ends_at.isoformat()}


def _nothing_left(reason: str) -> NotNow:
    return NotNow(reason, code="state", rule="grant: reinstate", change="There is nothing to give back.")
