"""Close-out of a grant that has ended: the holder reports, a lead looks at it; asked for, then seen by reviewers."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from release_portal.access.closing_rules import (
    DISPOSALS,
    FLAGGED_AFTER,
    LONGEST_TEXT,
    asked_day,
    decide_closing,
)
from release_portal.access.grant_rules import CLOSED, GRANT
from release_portal.access.models import CloseOut, Grant
from release_portal.access.obligations.rules import lead_of, relations
from release_portal.access.services import grant_subject, relations_to_duties
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, StaleVersion, error_of
from release_portal.core.texts import needed_text
from release_portal.notices.services import notify, notify_each

ENDED = GRANT.command("close").sources


def close_out_of(grant: Grant) -> CloseOut | None:
    """Return what the holder reported, unless an appeal gave the grant back since."""
    return grant.closings.filter(voided_at=None).first()


def decide_close_out(actor: Actor, grant: Grant, name: str) -> Decision:
    """Decide whether the actor may report or close now; pages ask the same as services."""
    decision = GRANT.decide(name, grant.state, relations(relations_to_duties(actor, grant), grant.kind))
    if not decision or name != "close":
        return decision
    given = close_out_of(grant)
    return decide_closing(disposal=given.disposal if given else None)


@transaction.atomic
def report_closing(
    actor: Actor, grant_id: str, *, report: str, disposal: str, statement: str, expected_version: int, at: datetime
) -> CloseOut:
    """Say what came of a grant and what became of copies; until it is closed a new report replaces the old one.

    Args:
        disposal: what became of copies, from the list.
        statement: in the holder's words.
    """
    grant = _locked(actor, "report", grant_id, expected_version)
    if disposal not in DISPOSALS:
        raise InvalidInput("Choose what became of copies.", field="disposal")
    said = {"report": needed_text(report, "report", "Say what came of it.", longest=LONGEST_TEXT), "disposal": disposal}
    said["statement"] = needed_text(statement, "statement", "Say it in your own words.", longest=LONGEST_TEXT)
    given, _ = CloseOut.objects.update_or_create(grant=grant, voided_at=None, defaults={**said, "handed_in_at": at})
    _next_version(grant)
    _record("grant.reported", actor, grant, at, disposal=disposal)
    leads = User.objects.filter(role_assignments__role=lead_of(grant.kind), is_active=True)
    facts = {"grant": grant.pk, "holder": grant.holder.name}
    others = leads.exclude(pk=grant.holder_id).distinct()
    notify_each(others, "grant_reported", facts, at=at, path=f"/grants/{grant.pk}/")
    return given


@transaction.atomic
def close_grant(actor: Actor, grant_id: str, *, expected_version: int, at: datetime) -> None:
    """Close a grant whose report was looked at."""
    grant = _locked(actor, "close", grant_id, expected_version)
    given = close_out_of(grant)
    assert given is not None
    given.looked_by_id, given.looked_by, given.closed_at = actor.id, actor.name, at
    given.save(update_fields=["looked_by_id", "looked_by", "closed_at"])
    grant.state = CLOSED
    _next_version(grant)
    _record("grant.closed", actor, grant, at)
    notify(grant.holder, "grant_closed", {"grant": grant.pk, "purpose": grant.purpose}, at=at, path=_path(grant))


def ended_without_report(account_id: int, at: datetime) -> QuerySet[Grant]:
    """Return the grants of a person that ended long ago and whose report is missing; reviewers see them."""
    long_ago = at - FLAGGED_AFTER
    missing = Q(ended_at__lte=long_ago) | Q(ended_at=None, ends_at__lte=long_ago)
    ended = Grant.objects.held_by(str(account_id)).filter(missing, state__in=ENDED)
    return ended.exclude(Exists(_given()))


def _given() -> QuerySet[CloseOut]:
    return CloseOut.objects.filter(grant=OuterRef("pk"), voided_at=None)


@transaction.atomic
def ask_for_reports(*, at: datetime) -> int:
    """Ask holders for the report 1, 30, 60 and 90 days after the end; never again after that."""
    ended = Grant.objects.filter(state__in=ENDED).exclude(Exists(_given()))
    recent = Q(ended_at__gt=at - 2 * FLAGGED_AFTER) | Q(ended_at=None, ends_at__gt=at - 2 * FLAGGED_AFTER)
    return sum(_ask(grant, at) for grant in ended.filter(recent).select_related("holder"))


def _ask(grant: Grant, at: datetime) -> bool:
    day = asked_day(grant.ended_at or grant.ends_at, at)
    if day is None:
        return False
    facts = {"grant": grant.pk, "purpose": grant.purpose}
    key = f"grant:{grant.pk}:report:{day}"
    return notify(grant.holder, "grant_report_due", facts, at=at, path=_path(grant), dedupe_key=key) is not None


def _locked(actor: Actor, name: str, grant_id: str, expected_version: int) -> Grant:
    grant = Grant.objects.select_for_update().get(pk=grant_id)
    decision = decide_close_out(actor, grant, name)
    if not decision:
        raise error_of(decision)
    if grant.version != expected_version:
        raise StaleVersion("The grant changed while this page was open.", change="Look again, then decide.")
    return grant


def _next_version(grant: Grant) -> None:
    grant.version += 1
    grant.save(update_fields=["state", "version"])


def _record(kind: str, actor: Actor, grant: Grant, at: datetime, **data: str) -> None:
    facts = {"state": grant.state, "version": grant.version, **data}
    record(kind, actor=actor, subject=grant_subject(grant), at=at, data=facts)


def _path(grant: Grant) -> str:
    return f"/grants/{grant.pk}/"
