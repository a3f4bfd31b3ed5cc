"""What every act on a seat does alike: refuse, compare versions, move, write down."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.models import Seat
from release_portal.access.people.lookups import decide_seat
from release_portal.access.people.seat_rules import LONGEST_REASON, SEAT
from release_portal.access.people.teams import team_of
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, StaleVersion, error_of
from release_portal.epochs.services import advance_epoch, seat_key


def seat_subject(seat: Seat) -> str:
    """Return how the audit log names a seat; no address stands in the record, which nobody can shorten."""
    return f"seat:{seat.pk}"


def locked_seat(actor: Actor, command: str, seat_id: int, expected_version: int, at: datetime) -> Seat:
    """Return a seat for a command: the actor may give it, and nobody changed it since the form was shown."""
    found = Seat.objects.select_for_update(of=("self",)).select_related(
        "person", "grant__holder", "grant__cohort", "application__applicant"
    )
    seat = found.get(pk=seat_id)
    check(decide_seat(command, actor, seat, at))
    if seat.version != expected_version:
        raise StaleVersion(
            f"The seat changed while this form was open; it is {seat.state} now.", change="Look again, then decide."
        )
    return seat


def move(seat: Seat, command: str) -> None:
    """Write the state to which a command leads, as a new version; only an invitation keeps its link."""
    seat.state, seat.version, seat.link_digest = SEAT.command(command).target or seat.state, seat.version + 1, None
    seat.save()


def end_seat(
    actor: Actor, seat: Seat, command: str, *, kind: str, reason: str, at: datetime, by_name: str = ""
) -> None:
    """End a seat: its link is dead, and so is every permit that was given through it, and nobody else's."""
    seat.ended_at, seat.ended_by_name, seat.end_reason = at, by_name or actor.name, reason
    move(seat, command)
    if seat.joined_at is not None:
        advance_epoch(seat_key(seat.pk))
    record_seat(kind, actor, seat, at, reason=reason)


def record_seat(kind: str, actor: Actor, seat: Seat, at: datetime, *, reason: str = "", **data: str) -> None:
    """Write down what was done with a seat, and on what it is."""
    facts = {"on": team_of(seat).subject, "state": seat.state, "version": seat.version, **data}
    record(kind, actor=actor, subject=seat_subject(seat), at=at, reason=reason, data=facts)


def reason_of(text: str, ask: str) -> str:
    """Return a reason; raises InvalidInput when there is none."""
    if not text.strip() or "\x00" in text or len(text) > LONGEST_REASON:
        raise InvalidInput(ask, field="reason", change=f"Write 1 to {LONGEST_REASON:,} characters.")
    return text.strip()


def check(decision: Decision) -> None:
    """Raise what a refusal says."""
    if not decision:
        raise error_of(decision)
