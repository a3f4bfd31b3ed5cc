"""Tell people that a promise runs out: the lead, then the other reviewers; then it stands in a counter."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q, QuerySet

from release_portal.access.application_rules import DECIDERS, OURS, REVIEWERS, kind_of_grant
from release_portal.access.applications import WHEN, application_subject, review_path_of
from release_portal.access.models import Application
from release_portal.access.queue.promise_rules import COUNTER, LEAD, OTHERS, next_step
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.notices.services import notify

BATCH = 500


@transaction.atomic
def tell_of_promises(actor: Actor, *, at: datetime) -> int:
    """Tell each step of each promise once.

    Args:
        actor: a system actor; nothing that this does decides anything.
        at: the time of looking.

    Returns:
        How many steps were told.
    """
    unknown = Q(escalates_at=None, escalation__lt=COUNTER)
    found = Application.objects.filter(unknown | Q(escalates_at__lte=at), state__in=sorted(OURS), due_at__isnull=False)
    due = found.select_related("applicant", "size__standing").select_for_update(of=("self",))
    return sum(_catch_up(actor, application, at) for application in due.order_by("due_at", "pk")[:BATCH])


def _catch_up(actor: Actor, application: Application, at: datetime) -> int:
    assert application.due_at is not None
    told = 0
    step = next_step(application.escalation, application.due_at, application.tier)
    while step is not None and step[1] <= at:
        application.escalation = step[0]
        _tell(actor, application, step[0], at)
        told += 1
        step = next_step(application.escalation, application.due_at, application.tier)
    application.escalates_at = step[1] if step else None
    application.save(update_fields=["escalation", "escalates_at"])  # no new version: no form shows it
    return told


def _tell(actor: Actor, application: Application, step: int, at: datetime) -> None:
    assert application.due_at is not None
    data = {"percent": str(step)}
    record("application.escalated", actor=actor, subject=application_subject(application), at=at, data=data)
    facts = {
        "application": application.pk,
        "size": application.size.name,
        "applicant": application.applicant.name,
        "due": f"{application.due_at:{WHEN}}",
        "percent": str(step),
    }
    for person in _told_at(application, step):
        key = f"application:{application.pk}:promise:{application.review_round}:{step}"
        notify(person, "application_promise", facts, at=at, path=review_path_of(application), dedupe_key=key)


def _told_at(application: Application, step: int) -> QuerySet[User]:
    """The lead of that kind of grant first, then everybody else who reviews; never the applicant."""
    lead = DECIDERS[kind_of_grant(application.size.standing.stage)]
    roles = {LEAD: (lead,), OTHERS: REVIEWERS}.get(step, ())
    found = User.objects.filter(role_assignments__role__in=roles, is_active=True).exclude(pk=application.applicant_id)
    if step == OTHERS:
        leads = User.objects.filter(role_assignments__role=lead)
        found = found.exclude(pk__in=leads.values("pk"))
    return found.distinct().order_by("pk")


def late_counts(at: datetime) -> dict[str, int]:
    """Return how many promises are missed, and how many by half as much time again."""
    waiting = Application.objects.filter(state__in=sorted(OURS))
    return {"late": waiting.filter(due_at__lt=at).count(), "very_late": waiting.filter(escalation=COUNTER).count()}
