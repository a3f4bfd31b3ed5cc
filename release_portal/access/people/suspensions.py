"""Suspend one member: the rules of grants, for one seat; nobody else on the grant is stopped."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.grant_rules import CONFIRM_WITHIN, SUSPENDED, decide_second_officer
from release_portal.access.models import Seat, SeatSuspension
from release_portal.access.people.lookups import decide_seat
from release_portal.access.people.records import check, locked_seat, move, reason_of, record_seat
from release_portal.access.people.seat_rules import SEAT
from release_portal.access.people.teams import team_of
from release_portal.appeals.links import notify_with_appeal
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import error_of
from release_portal.epochs.services import advance_epoch, seat_key
from release_portal.notices.services import notify


def suspension_subject(suspension: SeatSuspension) -> str:
    """Return the key under which the suspension of a seat is appealed."""
    return f"seat:{suspension.seat_id}:suspension:{suspension.pk}"


def decide_officer(name: str, actor: Actor, seat: Seat, at: datetime) -> Decision:
    """Return whether the actor may suspend, confirm or lift; the second officer is another one."""
    decision, suspension = decide_seat(name, actor, seat, at), seat.open_suspension
    if not decision or suspension is None or name == "suspend":
        return decision
    return decide_second_officer(
        name,
        is_same_officer=actor.id == suspension.by_id,
        is_confirmed=suspension.confirmed_at is not None,
        kind="seat",
    )


@transaction.atomic
def suspend_seat(actor: Actor, seat_id: int, *, reason: str, expected_version: int, at: datetime) -> SeatSuspension:
    """Take one member's seat back for now: one officer, at once; only this member's work stops."""
    seat = locked_seat(actor, "suspend", seat_id, expected_version, at)
    text = reason_of(reason, "Write what the member shall read.")
    suspension = SeatSuspension.objects.create(seat=seat, reason=text, by_id=actor.id, by_name=actor.name, at=at)
    move(seat, "suspend")
    advance_epoch(seat_key(seat.pk))
    record_seat("seat.suspended", actor, seat, at, reason=text)
    assert seat.person is not None
    facts = {"purpose": team_of(seat).purpose, "reason": text}
    subject, path = suspension_subject(suspension), f"/seats/{seat.pk}/"
    notify_with_appeal(seat.person, "seat_suspended", facts, subject=subject, at=at, path=path)
    return suspension


@transaction.atomic
def confirm_seat_suspension(actor: Actor, seat_id: int, *, reason: str, expected_version: int, at: datetime) -> Seat:
    """A second officer confirms, so that it no longer lapses."""
    seat, suspension = _second(actor, "confirm", seat_id, expected_version, at)
    suspension.confirmed_by_id, suspension.confirmed_by_name, suspension.confirmed_at = actor.id, actor.name, at
    suspension.save(update_fields=["confirmed_by_id", "confirmed_by_name", "confirmed_at"])
    move(seat, "confirm")
    record_seat("seat.suspension_confirmed", actor, seat, at, reason=reason.strip())
    return seat


@transaction.atomic
def lift_seat_suspension(actor: Actor, seat_id: int, *, reason: str, expected_version: int, at: datetime) -> Seat:
    """Another officer gives the seat back."""
    seat, suspension = _second(actor, "lift", seat_id, expected_version, at)
    text = reason_of(reason, "Write what was found.")
    end_suspension(suspension, seat, "lift", by_name=actor.name, reason=text, at=at)
    record_seat("seat.lifted", actor, seat, at, reason=text)
    tell_given_back(seat, text, at)
    return seat


@transaction.atomic
def lapse_seat_suspensions(actor: Actor, *, at: datetime) -> int:
    """Return to its member every seat whose suspension nobody confirmed in time."""
    due = SeatSuspension.objects.select_for_update(of=("self",)).filter(
        ended_at=None, confirmed_at=None, at__lte=at - CONFIRM_WITHIN
    )
    found = list(due.select_related("seat__person", "seat__grant__cohort", "seat__application"))
    for suspension in found:
        seat, reason = suspension.seat, "not confirmed by a second officer within 72 hours"
        end_suspension(suspension, seat, "lapse", by_name=actor.name, reason=reason, at=at)
        record_seat("seat.suspension_lapsed", actor, seat, at, reason=reason)
        if seat.state != SUSPENDED and seat.ended_at is None:
            tell_given_back(seat, reason, at)
    return len(found)


def end_suspension(
    suspension: SeatSuspension, seat: Seat, command: str, *, by_name: str, reason: str, at: datetime
) -> None:
    """End a suspension; a seat that was given up or taken back meanwhile stays so."""
    suspension.ended_at, suspension.ended_by_name, suspension.end_reason = at, by_name, reason
    suspension.save(update_fields=["ended_at", "ended_by_name", "end_reason"])
    if seat.state == SUSPENDED:
        who = {"lapse": "system", "reinstate": "appeal"}.get(command, "duty_officer")
        decision = SEAT.decide(command, seat.state, {who})
        if not decision:
            raise error_of(decision)
        move(seat, command)


def tell_given_back(seat: Seat, reason: str, at: datetime) -> None:
    """Tell the member that the seat works again."""
    assert seat.person is not None
    notify(seat.person, "seat_lifted", {"purpose": team_of(seat).purpose, "reason": reason}, at=at, path="/grants/")


def _second(actor: Actor, name: str, seat_id: int, expected_version: int, at: datetime) -> tuple[Seat, SeatSuspension]:
    seat = locked_seat(actor, name, seat_id, expected_version, at)
    check(decide_officer(name, actor, seat, at))
    return seat, seat.suspensions.select_for_update().get(ended_at=None)
