"""A team: the people of one application or of one grant, how many seats there are, and who looks after them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from release_portal.access.application_rules import DRAFT, OPEN, WRITE_SCOPE
from release_portal.access.grant_rules import ACTIVE, SCHEDULED
from release_portal.access.models import Application, Cohort, Grant, Seat
from release_portal.access.models.people import SeatQuerySet, cohort_of
from release_portal.access.people.cohort_rules import CLOSED, PROPOSED, RUNNING
from release_portal.access.people.seat_rules import MOST_NAMED
from release_portal.core.actors import Actor


@dataclass(frozen=True)
class Team:
    """Where seats are: on an application until it is decided, then on its grant."""

    application: Application | None = None
    grant: Grant | None = None

    @property
    def place(self) -> Application | Grant:
        """What the seats are on."""
        place = self.grant or self.application
        assert place is not None
        return place

    @property
    def kind(self) -> str:
        """The word for what the seats are on, as addresses and the record say it."""
        return "grant" if self.grant else "application"

    @property
    def cohort(self) -> Cohort | None:
        """The cohort that is asked for, or that runs; a closed one is none."""
        found = cohort_of(self.grant) if self.grant else getattr(self.application, "cohort", None)
        return None if found is None or found.state == CLOSED else found

    @property
    def subject(self) -> str:
        """How the record names it."""
        return f"{self.kind}:{self.place.pk}"

    @property
    def path(self) -> str:
        """Address of the page on which it is looked after."""
        return f"/{self.kind}s/{self.place.pk}/team/"

    @property
    def purpose(self) -> str:
        """What the work is, in a line."""
        place = self.place
        return place.purpose if isinstance(place, Grant) else f"Access to {place.size.name}"

    @property
    def owner_id(self) -> int:
        """Account of whoever looks after it; 0 when nobody does."""
        place, cohort = self.place, self.cohort
        if isinstance(place, Application):
            return place.applicant_id
        if cohort is not None and cohort.state in RUNNING:
            return cohort.lead_id if cohort.has_lead and cohort.lead_id else 0
        return place.holder_id

    def rows(self) -> SeatQuerySet:
        """Return every seat that there ever was on it."""
        if self.grant:
            return Seat.objects.filter(grant=self.grant)
        return Seat.objects.filter(application=self.application, grant=None)

    def named(self) -> frozenset[str]:
        """Return the addresses that were named in applications, so that reviewers knew of them."""
        return frozenset(self.rows().exclude(application=None).values_list("mail", flat=True))

    def seats(self) -> int:
        """Return how many people may use it; who holds a grant without a cohort is one of them."""
        if self.cohort is not None:
            return self.cohort.seats
        return 1 + (len(self.named()) if self.grant else MOST_NAMED)

    def used(self, at: datetime) -> int:
        """Return how many seats are taken: joined, or invited and not over; the lead's is one of them."""
        cohort, taken = self.cohort, self.rows().taken(at).count()
        return taken if cohort is not None and cohort.state in RUNNING else taken + 1

    def is_open(self, at: datetime) -> bool:
        """Whether there is something on which one can still take a seat."""
        if self.grant:
            ours = cohort_of(self.grant)
            is_over = ours is not None and ours.state_at(at) == CLOSED
            return not is_over and self.grant.state_at(at) in (ACTIVE, SCHEDULED)
        return self.application is not None and self.application.state in OPEN

    def takes_invitations(self) -> bool:
        """Whether people can be named: on a draft only, since reviewers read what was handed in."""
        return self.grant is not None or (self.application is not None and self.application.state == DRAFT)

    def wish(self) -> Cohort | None:
        """Return the cohort that the application asks for."""
        cohort = getattr(self.application, "cohort", None)
        return cohort if cohort is not None and cohort.state == PROPOSED else None


def team_of(seat: Seat) -> Team:
    """Return the team on which a seat is."""
    return Team(None, seat.grant) if seat.grant_id else Team(seat.application)


def is_free(actor: Actor) -> bool:
    """Whether a person asks, by themselves or by a token that may file applications."""
    return actor.is_person and (actor.scopes is None or WRITE_SCOPE in actor.scopes)


def relations_to_team(actor: Actor, team: Team) -> frozenset[str]:
    """Return under which relations a person knows a team as a whole; a token has no roles."""
    if actor.is_system:
        return frozenset({"system"})
    if is_free(actor) and actor.account_id == team.owner_id:
        return frozenset({"lead"})
    return frozenset()


def relations_to_seat(actor: Actor, seat: Seat) -> frozenset[str]:
    """Return under which relations a person knows one seat; nobody acts as an officer on a grant that they use."""
    team = team_of(seat)
    own = {"member"} if is_free(actor) and seat.person_id == actor.account_id else set()
    lead = frozenset() if own else relations_to_team(actor, team)  # nobody is lead of their own seat
    is_involved = bool(own or lead) or (team.grant is not None and uses(actor, team.grant))
    roles = frozenset() if is_involved or actor.scopes is not None else actor.roles
    return frozenset(own) | lead | roles


def uses(actor: Actor, grant: Grant) -> bool:
    """Whether a person holds a grant or has taken a seat on it; then they decide nothing about it."""
    if not actor.is_person:
        return False
    seats = grant.seats.all()  # prefetched where many grants are shown
    return grant.holder_id == actor.account_id or any(
        one.person_id == actor.account_id and one.state in ("joined", "suspended") for one in seats
    )
