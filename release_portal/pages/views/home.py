"""Home: what waits for you, what you hold, what you did last."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from release_portal.access.lookups import grants_for, sizes_for
from release_portal.access.models import Grant
from release_portal.access.policy import Action
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.http import PortalRequest
from release_portal.jobs.lookups import generations_for
from release_portal.pages import showing
from release_portal.pages.views.grants import card_of
from release_portal.pages.views.waiting import changes_for, waiting_for
from release_portal.pages.words import state_pill

ENDS_SOON = timedelta(days=21)
RECENT = 5


@signed_in
def home(request: PortalRequest) -> HttpResponse:
    """The first page of somebody who is signed in."""
    at, actor = now(), request.actor
    held = [_held(actor, grant, at) for grant in grants_for(actor).filter(holder_id=int(actor.id))]
    usable = sizes_for(actor, Action.GENERATE, at=at)
    context = {
        "waiting": waiting_for(actor, at=at),
        "ending": [row for row in held if row["ends_soon"]],
        "changes": [_change(event) for event in changes_for(actor, at=at)],
        "held": held,
        "recent": [{"job": job, "state": state_pill(job.state)} for job in generations_for(actor)[:RECENT]],
        "usable": [{"size": size, "url": showing.address("playground", size)} for size in usable],
    }
    return render(request, "home/home.html", context)


def _change(event: AuditEvent) -> dict[str, Any]:
    slug = event.subject.removeprefix("size:")
    title = f"{slug}: {event.label}"
    return {"at": event.at, "title": title, "body": event.reason, "actor": event.actor_name, "verified": None}


def _held(actor: Actor, grant: Grant, at: datetime) -> dict[str, Any]:
    ends_soon = at < grant.ends_at <= at + ENDS_SOON
    return {**card_of(actor, grant, at), "ends_soon": ends_soon}
