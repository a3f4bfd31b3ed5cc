"""Write holds and restrictions: raise, confirm, release, lapse."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotFound, StaleVersion, error_of
from release_portal.epochs.services import advance_epoch, size_key
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import (
    CONFIRM_STOP_WITHIN,
    FEATURES,
    HOLD,
    PLAIN,
    PUBLIC,
    STOP,
    Restriction,
    check_terms,
    is_lapsed,
    may_confirm,
    may_raise,
    may_release,
)
from release_portal.releases.models import Hold, Standing
from release_portal.releases.services import size_subject

LAPSED = "no second officer confirmed it within 72 hours"


@transaction.atomic
def raise_hold(
    actor: Actor,
    size: ModelSize,
    *,
    reason: str,
    at: datetime,
    level: str = PLAIN,
    percent: int | None = None,
    max_tokens: int | None = None,
    functions: Iterable[str] = (),
    cohort: str = "",
    expected_version: int | None = None,
    case: str = "",
) -> Hold:
    """Block widening of a size; a restriction takes use away as well, running work of that use included.

    Permits of single grants are not known here: `moves.services.restrict` ends those of a suspended cohort.

    Args:
        reason: sentence that the public timeline shows.
        level: hold, R1, R2, R3 or R5.
        percent, max_tokens, functions, cohort: what the level takes away, as `Restriction` says.
        expected_version: version of the standing that the officer saw, when one was on the page.
        case: subject of the case whose rule raises the hold.

    Raises:
        InvalidInput: no reason, or terms that are not those of the level.
        NotAllowed, NotNow: the rule says no.
        StaleVersion: the size was moved meanwhile.
    """
    wanted = Restriction(level, percent, max_tokens, frozenset(functions), cohort, reason.strip())
    standing = Standing.objects.select_for_update().get(size=size)  # one raiser at a time for each size
    open_holds = [hold.facts() for hold in Hold.objects.open().filter(size=size)]
    _check(may_raise(actor, open_holds, level=level, terms=wanted.terms))
    _check_reason(reason, "Write why; the public timeline shows it.")
    check_terms(wanted)
    if expected_version is not None and standing.version != expected_version:
        raise StaleVersion(
            f"The size was moved to {standing.place.label} while this form was open.", change="Look again, then decide."
        )
    hold = _write(actor, size, wanted, case, at)
    if level in (FEATURES, STOP) or wanted.cohort == PUBLIC:
        advance_epoch(size_key(size.slug))  # ends every permit, so running work stops within two steps
    _record("hold.raised", actor, hold, at, hold.reason)
    return hold


def _write(actor: Actor, size: ModelSize, wanted: Restriction, case: str, at: datetime) -> Hold:
    return Hold.objects.create(
        size=size,
        level=wanted.level,
        stops_use=wanted.level == STOP,
        percent=wanted.percent,
        max_tokens=wanted.max_tokens,
        functions=sorted(wanted.functions),  # in one order, so that the list of sizes can ask for it
        cohort=wanted.cohort,
        reason=wanted.reason,
        raised_by_id=actor.id,
        raised_by=actor.name,
        raised_at=at,
        case=case,
    )


@transaction.atomic
def confirm_hold(actor: Actor, hold_id: int, *, reason: str, at: datetime, expected_version: int | None = None) -> Hold:
    """A second officer confirms a restriction, so that it no longer lapses."""
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
    """End every restriction that one officer raised and nobody confirmed in time; return how many."""
    due = Hold.objects.select_for_update(of=("self",)).unconfirmed().select_related("size")
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
    data = {
        "hold": hold.pk,
        "level": hold.level,
        "terms": hold.restriction.terms,
        "stops_use": hold.stops_use,
        "state": hold.state,
        "version": hold.version,
    }
    record(kind, actor=actor, subject=size_subject(hold.size.slug), at=at, reason=reason, data=data)
