"""Write holds: raise, confirm, release, lapse."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotFound, StaleVersion, error_of
from release_portal.epochs.services import advance_epoch, size_key
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import CONFIRM_STOP_WITHIN, HOLD, is_lapsed, may_confirm, may_raise, may_release
from release_portal.releases.models import Hold, Standing
from release_portal.releases.services import size_subject

LAPSED = "no second officer confirmed the stop within 72 hours"


@transaction.atomic
def raise_hold(
    actor: Actor,
    size: ModelSize,
    *,
    reason: str,
    stops_use: bool,
    at: datetime,
    expected_version: int | None = None,
    case: str = "",
) -> Hold:
    """Block widening of a size; with `stops_use` end its use as well, running work included.

    Args:
        reason: sentence that the public timeline shows.
        expected_version: version of the standing that the officer saw, when one was on the page.
        case: subject of the case whose rule raises the hold.

    Raises:
        InvalidInput: no reason.
        NotAllowed, NotNow: the rule says no.
        StaleVersion: the size was moved meanwhile.
    """
    standing = Standing.objects.select_for_update().get(size=size)  # one raiser at a time for each size
    _check(may_raise(actor, [hold.facts() for hold in Hold.objects.open().filter(size=size)], stops_use=stops_use))
    _check_reason(reason, "Write why; the public timeline shows it.")
    if expected_version is not None and standing.version != expected_version:
        raise StaleVersion(
            f"The size was moved to {standing.place.label} while this form was open.", change="Look again, then decide."
        )
    hold = Hold.objects.create(
        size=size,
        stops_use=stops_use,
        reason=reason.strip(),
        raised_by_id=actor.id,
        raised_by=actor.name,
        raised_at=at,
        case=case,
    )
    if stops_use:
        advance_epoch(size_key(size.slug))  # ends every permit, so running work stops within two steps
    _record("hold.raised", actor, hold, at, hold.reason)
    return hold


@transaction.atomic
def confirm_hold(actor: Actor, hold_id: int, *, reason: str, at: datetime, expected_version: int | None = None) -> Hold:
    """A second officer confirms a stop of use, so that it no longer lapses."""
    hold = _locked(hold_id)
    _check(may_confirm(actor, hold.facts()))
    _check_version(hold, expected_version)
    hold.confirmed_by_id, hold.confirmed_by, hold.confirmed_at = actor.id, actor.name, at
    _save(hold, "confirmed_by_id", "confirmed_by", "confirmed_at")
    _record("hold.confirmed", actor, hold, at, reason.strip())
    return hold


@transaction.atomic
def release_hold(
    actor: Actor, hold_id: int, *, reason: str, at: datetime, expected_version: int | None = None, case: str = ""
) -> Hold:
    """Another person than the raiser ends a hold; use, and widening, follow the stage again.

    Args:
        case: subject of the case that is being closed, when it had raised the hold.
    """
    hold = _locked(hold_id)
    _check(may_release(actor, hold.facts(), case=case))
    _check_version(hold, expected_version)
    _check_reason(reason, "Write what was found; the public timeline shows it.")
    _end(hold, actor, reason.strip(), at)
    _record("hold.released", actor, hold, at, hold.release_reason)
    return hold


@transaction.atomic
def lapse_holds(actor: Actor, *, at: datetime) -> int:
    """End every stop of use that one officer raised and nobody confirmed in time; return how many."""
    due = Hold.objects.select_for_update(of=("self",)).unconfirmed_stops().select_related("size")
    count = 0
    for hold in due.filter(raised_at__lte=at - CONFIRM_STOP_WITHIN):
        if is_lapsed(hold.facts(), at):
            _check(HOLD.decide("lapse", hold.state, {actor.kind.value}))
            _end(hold, actor, LAPSED, at)
            _record("hold.lapsed", actor, hold, at, LAPSED)
            count += 1
    return count


def _locked(hold_id: int) -> Hold:
    hold = Hold.objects.select_for_update(of=("self",)).select_related("size").filter(pk=hold_id).first()
    if hold is None:
        raise NotFound("There is no such hold.", change="The holds of a size are listed on its page.")
    return hold


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)


def _check_reason(reason: str, change: str) -> None:
    if not reason.strip():
        raise InvalidInput("A reason is needed.", field="reason", change=change)


def _check_version(hold: Hold, expected_version: int | None) -> None:
    if expected_version is not None and hold.version != expected_version:
        raise StaleVersion(
            f"The hold changed while this form was open; it is {hold.state} now.", change="Look again, then decide."
        )


def _end(hold: Hold, actor: Actor, reason: str, at: datetime) -> None:
    hold.released_by, hold.released_at, hold.release_reason = actor.name, at, reason
    _save(hold, "released_by", "released_at", "release_reason")


def _save(hold: Hold, *fields: str) -> None:
    hold.version += 1
    hold.save(update_fields=[*fields, "version"])


def _record(kind: str, actor: Actor, hold: Hold, at: datetime, reason: str) -> None:
    data = {"hold": hold.pk, "stops_use": hold.stops_use, "state": hold.state, "version": hold.version}
    record(kind, actor=actor, subject=size_subject(hold.size.slug), at=at, reason=reason, data=data)
