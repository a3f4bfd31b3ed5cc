"""Tell people in time: a grant that ends soon, an application that lapses soon. Each is told once."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from release_portal.access.application_rules import DRAFT, LAPSE_NOTICES, NEEDS_INFO, PENDING_TERMS
from release_portal.access.applications import WHEN, idle_applications, lapses_at, path_of
from release_portal.access.grant_rules import ACTIVE, SCHEDULED
from release_portal.access.models import Application, Grant
from release_portal.notices.services import notify

DAYS_BEFORE_END = (60, 14, 3)
_WAITS = {
    DRAFT: "is still a draft",
    NEEDS_INFO: "waits for your answer",
    PENDING_TERMS: "waits for you to accept its terms",
}


@transaction.atomic
def remind_of_ends(*, at: datetime) -> int:
    """Tell holders 60, 14 and 3 days before the end; a renewed grant has another end, so its old reminders stop."""
    horizon = at + timedelta(days=max(DAYS_BEFORE_END))
    ending = Grant.objects.filter(state__in=(ACTIVE, SCHEDULED), ends_at__gt=at, ends_at__lte=horizon)
    return sum(_remind(grant, at) for grant in ending.select_related("holder"))


def _remind(grant: Grant, at: datetime) -> bool:
    """Only the nearest reminder counts: after an outage nobody is told "60 days" together with "3 days"."""
    days = min(days for days in DAYS_BEFORE_END if grant.ends_at - at <= timedelta(days=days))
    if grant.ends_at - grant.starts_at <= timedelta(days=days):
        return False  # it never was longer than this
    left = -((at - grant.ends_at) // timedelta(days=1))
    facts = {"grant": grant.pk, "purpose": grant.purpose, "end": f"{grant.ends_at:{WHEN}}", "days": str(left)}
    key = f"grant:{grant.pk}:ends:{grant.ends_at:%Y-%m-%dT%H:%M}:{days}"
    told = notify(grant.holder, "grant_ends_soon", facts, at=at, path=f"/grants/{grant.pk}/", dedupe_key=key)
    return told is not None


@transaction.atomic
def remind_of_lapses(*, at: datetime) -> int:
    """Tell applicants whose draft or question waits for them before it lapses."""
    return sum(_remind_applicant(application, at) for application in idle_applications())


def _remind_applicant(application: Application, at: datetime) -> bool:
    end = lapses_at(application)
    due = [before for before in LAPSE_NOTICES[application.state] if end - before <= at < end]
    if not due:
        return False
    facts = {
        "application": application.pk,
        "size": application.size.name,
        "state": _WAITS[application.state],
        "until": f"{end:{WHEN}}",
    }
    key = f"application:{application.pk}:lapses:{end:%Y-%m-%dT%H:%M}:{min(due).days}"
    path = path_of(application)
    return notify(application.applicant, "application_lapses_soon", facts, at=at, path=path, dedupe_key=key) is not None
