"""What reviewers do that decides nothing: take an application for a while, and write advice."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access import application_rules as rules
from release_portal.access.applications import application_subject, locked_row
from release_portal.access.models import Advice, Application
from release_portal.access.review_desk import desk_of, lease_on, review_decision
from release_portal.access.review_rules import LEASE
from release_portal.access.reviews import reviewing_role
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, error_of


@transaction.atomic
def claim_application(actor: Actor, application_id: str, *, at: datetime, reason: str = "") -> Application:
    """Look at an application for 30 minutes; claiming one's own again begins them anew.

    Args:
        actor: somebody who may decide on it.
        application_id: which application.
        at: the time of claiming.
        reason: why another's lease does not wait; needed only while there is one.

    Raises:
        NotNow: somebody else is looking at it, and no reason is given.
    """
    application, desk, reason = locked_row(application_id), desk_of(actor), _readable(reason, "reason").strip()
    decision = review_decision("claim", application, desk, at, has_reason=bool(reason))
    if not decision:
        raise error_of(decision)
    lease = lease_on(application, desk, at)
    taken = {"from": lease.by_name, "why": reason} if lease and lease.by_id != actor.id else {}
    application.claimed_by_id, application.claimed_by_name = actor.account_id, actor.name
    application.claimed_until = at + LEASE
    application.assigned_to_id, application.assigned_name = actor.account_id, actor.name
    # No new version: looking at it changes nothing that another form shows.
    application.save(update_fields=["claimed_by", "claimed_by_name", "claimed_until", "assigned_to", "assigned_name"])
    data = {"until": application.claimed_until.isoformat(), **taken}
    record("application.claimed", actor=actor, subject=application_subject(application), at=at, data=data)
    return application


@transaction.atomic
def advise(actor: Actor, application_id: str, *, text: str, at: datetime) -> Advice:
    """Write a note for those who decide; it counts for nothing."""
    application = locked_row(application_id)
    decision = review_decision("advise", application, desk_of(actor), at)
    if not decision:
        raise error_of(decision)
    if not text.strip():
        raise InvalidInput("Write what the others should know.", field="advice")
    text, role = _readable(text, "advice").strip(), reviewing_role(actor, application)
    note = Advice.objects.create(
        application=application, by_id=actor.account_id, by_name=actor.name, role=role, text=text, at=at
    )
    record("application.advised", actor=actor, subject=application_subject(application), at=at, data={"role": role})
    return note


def _readable(text: str, field: str) -> str:
    if "\x00" in text or len(text) > rules.LONGEST_TEXT:
        raise InvalidInput(f"Write text of at most {rules.LONGEST_TEXT:,} characters.", field=field)
    return text
