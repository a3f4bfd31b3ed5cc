"""What other pages show of appeals: a decision with its appeal, or the address to file one."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from release_portal.access.grant_rules import SUSPENDED
from release_portal.access.lookups import grants_for
from release_portal.access.models import Application, Grant, Seat
from release_portal.access.people.lookups import own_seats
from release_portal.appeals.handlers import find_decision
from release_portal.appeals.lookups import appeal_against, may_appeal
from release_portal.core.actors import Actor
from release_portal.core.errors import NotFound
from release_portal.pages.words_appeals import appeal_pill
from release_portal.registry.models import ModelSize


def appeals_of_grant(actor: Actor, shown: Grant, at: datetime) -> list[dict[str, Any]]:
    """Return the decisions on a grant that its holder may appeal or has appealed."""
    subjects = [f"grant:{shown.pk}:suspension:{one.pk}" for one in shown.suspensions.all()]
    subjects += [f"grant:{shown.pk}:revocation:{one.pk}" for one in shown.revocations.exclude(confirmed_at=None)]
    return [row for subject in subjects if (row := _row(actor, subject, at))]


def appeals_of_seat(actor: Actor, shown: Seat, at: datetime) -> list[dict[str, Any]]:
    """Return the suspensions of one's seat that can be appealed, or were."""
    subjects = [f"seat:{shown.pk}:suspension:{one.pk}" for one in shown.suspensions.all()]
    return [row for subject in subjects if (row := _row(actor, subject, at))]


def appeals_of_size(actor: Actor, size: ModelSize, at: datetime) -> list[dict[str, Any]]:
    """Return the suspensions in force by which one's grants or seats for a size are closed, to be appealed."""
    if not actor.is_person:
        return []
    held = grants_for(actor).filter(holder_id=actor.account_id, sizes=size, state=SUSPENDED)
    seats = own_seats(actor).filter(grant__sizes=size, state=SUSPENDED)
    of_grants = [row for one in held for row in appeals_of_grant(actor, one, at)]
    return of_grants + [row for one in seats for row in appeals_of_seat(actor, one, at)]


def appeals_of_application(actor: Actor, shown: Application, at: datetime) -> list[dict[str, Any]]:
    """Return the refusal of an application, if its writer may appeal or has appealed."""
    row = _row(actor, f"application:{shown.pk}", at) if shown.decided_at else None
    return [row] if row else []


def _row(actor: Actor, subject: str, at: datetime) -> dict[str, Any] | None:
    filed = appeal_against(subject)
    if filed is not None:
        address = reverse("appeal", args=[filed.pk]) if actor.account_id == filed.appellant_id else ""
        return {"title": filed.title, "state": appeal_pill(filed.state), "url": address, "is_filed": True}
    try:
        found = find_decision(subject, at)
    except NotFound:
        return None
    if actor.account_id != found.person.pk or not may_appeal(found, at):
        return None
    return {"title": found.title, "state": None, "url": reverse("appeal-new", args=[subject]), "is_filed": False}
