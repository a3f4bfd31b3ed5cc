"""Read the record: what happened to one subject, newest first."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import QuerySet

from release_portal.audit.models import AuditEvent


def whole_record() -> QuerySet[AuditEvent]:
    """Return every event, newest first; the pages that show it are for staff."""
    return AuditEvent.objects.order_by("-seq")


def events_about(subject: str) -> QuerySet[AuditEvent]:
    """Return the events about one subject, newest first, for whoever may see the subject."""
    return AuditEvent.objects.about(subject).order_by("-seq")


def public_events_about(subjects: Iterable[str]) -> QuerySet[AuditEvent]:
    """Return the events about subjects that a public timeline shows, newest first."""
    return AuditEvent.objects.public().filter(subject__in=list(subjects)).order_by("-seq")
