"""The only way to seats: one's own, those of a team that one looks after, or the one that a mailed link names."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Q, QuerySet

from release_portal.access.application_lookups import own_application
from release_portal.access.application_rules import OPEN
from release_portal.access.grant_rules import SUSPENDED
from release_portal.access.lookups import grant_for
from release_portal.access.models import Seat
from release_portal.access.models.people import SeatQuerySet
from release_portal.access.people.cohort_rules import RUNNING
from release_portal.access.people.seat_rules import INVITED, SEAT, decide_leaving
from release_portal.access.people.teams import Team, relations_to_seat, relations_to_team, team_of
from release_portal.accounts.looks import note_looks
from release_portal.accounts.roles import STAFF_ROLES
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import NotFound
from release_portal.core.link_tokens import digest_of


def team_of_application(actor: Actor, application_id: str) -> Team:
    """Return the team of one of the actor's own applications."""
    return Team(own_application(actor, application_id))


def team_of_grant(actor: Actor, grant_id: str) -> Team:
    """Return the team of a grant for its lead, its deputy and staff; members see their own seat alone."""
    team = Team(None, grant_for(actor, grant_id))
    if not may_see_team(actor, team):
        raise NotFound("There is nothing here.", change="Your own seat stands on your grants' page.")
    return team


def note_team_look(actor: Actor, team: Team, *, at: datetime) -> None:
    """Write down that somebody with a role opens a team: the holder's grant, and the seat of each who took one.

    Who looks after the team, or stands by to, reads it as their own work and not by a role.
    """
    grant = team.grant
    if grant is None or may_lead(actor, team):
        return
    note_looks(actor, [(grant.holder_id, team.subject)], "grant", at=at)
    taken = team.rows().exclude(person=None).values_list("person_id", "pk")
    note_looks(actor, [(person, f"seat:{pk}") for person, pk in taken], "seat", at=at)


def seats_of(team: Team) -> SeatQuerySet:
    """Return the seats of a team, those that are in use first."""
    return (
        team.rows()
        .select_related("person", "grant__cohort__lead", "application")
        .prefetch_related("suspensions", "grant__seats")
    )


def seat_in(team: Team, seat_id: int) -> Seat:
    """Return one seat of this team, and of no other."""
    found = seats_of(team).filter(pk=seat_id).first()
    if found is None:
        raise _nothing()
    return found


def own_seats(actor: Actor) -> QuerySet[Seat]:
    """Return the actor's seats on applications that are open and on grants, the last taken first."""
    seats = Seat.objects.of_person(actor.id if actor.is_person else "")
    shown = seats.filter(Q(grant__isnull=False) | Q(application__state__in=sorted(OPEN)))
    return (
        shown.select_related(
            "person", "grant__holder", "grant__cohort__lead", "application__applicant", "application__size"
        )
        .prefetch_related("suspensions", "grant__functions", "grant__suspensions", "grant__sizes", "grant__seats")
        .order_by("-pk")
    )


def own_seat(actor: Actor, seat_id: int) -> Seat:
    """Return one of the actor's own seats."""
    found = own_seats(actor).filter(pk=seat_id).first()
    if found is None:
        raise _nothing()
    return found


def seat_by_link(token: str, at: datetime, *, is_locked: bool = False) -> Seat:
    """Return the invitation of a link; one that is wrong, used, taken back or too late has one answer."""
    seats = Seat.objects.select_for_update(of=("self",)) if is_locked else Seat.objects.all()
    found = seats.select_related("grant__holder", "grant__cohort__lead", "application__applicant", "application__size")
    seat = found.filter(link_digest=digest_of(token), state=INVITED, ends_at__gt=at).first()
    if seat is None:
        raise NotFound(
            "This invitation does not open anything.",
            change="It works once and for 21 days. Ask whoever invited you to invite you again.",
        )
    return seat


def seats_to_confirm() -> SeatQuerySet:
    """Return the seats whose suspension nobody has confirmed; who may confirm is asked for each."""
    waiting = Seat.objects.filter(state=SUSPENDED, suspensions__ended_at=None, suspensions__confirmed_at=None)
    return (
        waiting.select_related("person", "grant__cohort__lead", "application")
        .prefetch_related("suspensions", "grant__seats")
        .distinct()
    )


def decide_seat(name: str, actor: Actor, seat: Seat, at: datetime) -> Decision:
    """Return whether the actor may give a command on a seat now; pages ask the same as services."""
    decision = SEAT.decide(name, seat.state_at(at), relations_to_seat(actor, seat))
    is_leads = decision.allowed and name == "leave" and seat.person_id == _lead_id(team_of(seat))
    return decide_leaving(is_lead=is_leads) if name == "leave" and decision else decision


def _lead_id(team: Team) -> int:
    """Return who leads the running cohort of a team; 0 where nobody does."""
    cohort = team.cohort
    return cohort.lead_id or 0 if cohort is not None and cohort.state in RUNNING and cohort.has_lead else 0


def may_see_team(actor: Actor, team: Team) -> bool:
    """Whether the actor may read who is on a team: its lead, the deputy, and of a grant staff."""
    return may_lead(actor, team) or bool(team.grant and actor.has_role(*STAFF_ROLES))


def may_lead(actor: Actor, team: Team) -> bool:
    """Whether the actor looks after a team, or is the deputy who would."""
    cohort = team.cohort if team.grant else None
    is_deputy = cohort is not None and actor.is_person and cohort.deputy_id == actor.account_id
    return bool(relations_to_team(actor, team)) or is_deputy


def _nothing() -> NotFound:
    return NotFound("There is nothing here.", change="Your grants and your seats are listed on one page.")
