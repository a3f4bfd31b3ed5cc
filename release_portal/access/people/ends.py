"""Seats end: the member leaves, the lead takes one back, the invited person says no, or the time is over."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.models import Seat
from release_portal.access.people.lookups import seat_by_link
from release_portal.access.people.records import end_seat, locked_seat, reason_of
from release_portal.access.people.seat_rules import INVITED, TAKEN
from release_portal.access.people.teams import team_of
from release_portal.accounts.models import User
from release_portal.core.actors import ANONYMOUS, Actor, system_actor
from release_portal.notices.services import notify

SWEEPER = system_actor("seats")


@transaction.atomic
def undo_invitation(actor: Actor, seat_id: int, *, expected_version: int, at: datetime) -> Seat:
    """Take an invitation back that nobody answered; its link opens nothing any more."""
    seat = locked_seat(actor, "undo", seat_id, expected_version, at)
    end_seat(actor, seat, "undo", kind="seat.undone", reason="the invitation was taken back", at=at)
    return seat


@transaction.atomic
def remove_member(actor: Actor, seat_id: int, *, reason: str, expected_version: int, at: datetime) -> Seat:
    """Take a seat back: this member's work stops, and nobody else's."""
    seat = locked_seat(actor, "remove", seat_id, expected_version, at)
    text = reason_of(reason, "Say why; the member reads it.")
    end_seat(actor, seat, "remove", kind="seat.removed", reason=text, at=at)
    _tell_member("seat_removed", seat, at, reason=text, by=actor.name)
    _free_deputy(seat)
    return seat


@transaction.atomic
def leave_seat(actor: Actor, seat_id: int, *, expected_version: int, at: datetime) -> Seat:
    """The member gives the seat up; the grant stays what it is for the others."""
    seat = locked_seat(actor, "leave", seat_id, expected_version, at)
    end_seat(actor, seat, "leave", kind="seat.left", reason="", at=at)
    tell_lead("seat_left", seat, at)
    _free_deputy(seat)
    return seat


@transaction.atomic
def decline_by_link(token: str, *, at: datetime) -> Seat:
    """Say no to an invitation; whoever holds the link may, with an account or without."""
    seat = seat_by_link(token, at, is_locked=True)
    end_seat(ANONYMOUS, seat, "decline", kind="seat.declined", reason="", at=at, by_name=seat.mail)
    tell_lead("seat_declined", seat, at)
    return seat


@transaction.atomic
def expire_seats(actor: Actor, *, at: datetime) -> int:
    """Write down the ends that were reached; use has ended already, at its own check."""
    due = Seat.objects.select_for_update(of=("self",)).filter(state__in=sorted(TAKEN), ends_at__lte=at)
    found = list(due.select_related("person", "grant__cohort", "application"))
    for seat in found:
        expire(actor, seat, at=at)
    return len(found)


def expire(actor: Actor, seat: Seat, *, at: datetime, reason: str = "") -> None:
    """End one seat or invitation whose time is over."""
    was_invited = seat.state == INVITED
    end_seat(actor, seat, "expire", kind="seat.expired", reason=reason or "its end is reached", at=at)
    if not was_invited:
        _tell_member("seat_ended", seat, at)


def tell_lead(kind: str, seat: Seat, at: datetime) -> None:
    """Tell whoever looks after the team; nobody else reads who comes and goes."""
    team = team_of(seat)
    lead = User.objects.filter(pk=team.owner_id).first()
    if lead is not None:
        facts = {"member": seat.name, "purpose": team.purpose}
        notify(lead, kind, facts, at=at, path=team.path)


def _tell_member(kind: str, seat: Seat, at: datetime, **more: str) -> None:
    if seat.person is not None:
        facts = {"purpose": team_of(seat).purpose, **more}
        notify(seat.person, kind, facts, at=at, path="/grants/")


def _free_deputy(seat: Seat) -> None:
    """Who is no member any more cannot stand in for the lead."""
    cohort = team_of(seat).cohort
    if cohort is not None and cohort.deputy_id is not None and cohort.deputy_id == seat.person_id:
        cohort.deputy, cohort.version = None, cohort.version + 1
        cohort.save(update_fields=["deputy", "version"])
