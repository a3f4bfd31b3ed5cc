"""Teams and cohorts: the side of those who look after them, and the side of members."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.application_rules import WRITE_SCOPE
from release_portal.access.models import Cohort, Seat
from release_portal.access.people import cohorts, ends, invitations
from release_portal.access.people.cohort_rules import Wish
from release_portal.access.people.joining import decide_joining, join_by_link
from release_portal.access.people.lookups import (
    own_seat,
    own_seats,
    seat_by_link,
    seat_in,
    seats_of,
    team_of_application,
    team_of_grant,
)
from release_portal.access.people.teams import Team, team_of
from release_portal.api.base import TokenView
from release_portal.api.documented import documented
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.applications import VersionInput
from release_portal.api.serializers.teams import (
    DeclinedFacts,
    DeputyInput,
    InvitationFacts,
    InvitingInput,
    JoiningInput,
    LinkInput,
    ReasonInput,
    SeatFacts,
    TeamFacts,
    TeamNamingInput,
    WishInput,
)

TAG = "teams"


class TeamView(TokenView):
    """What the addresses of teams share."""

    scopes = (WRITE_SCOPE,)

    def shown(self, team: Team, status: int = 200) -> Response:
        """Answer with a team as it stands."""
        return Response(TeamFacts(self._facts(team)).data, status=status)

    def _facts(self, team: Team) -> dict[str, Any]:
        return {
            "seats": team.seats(),
            "used": team.used(self.at),
            "cohort": self._cohort(team.cohort),
            "members": [self._member(seat) for seat in seats_of(team)],
        }

    def _cohort(self, cohort: Cohort | None) -> dict[str, Any] | None:
        if cohort is None:
            return None
        plain = ("kind", "seats", "first_day", "last_day", "starts_at", "ends_at", "pauses_at", "version")
        lead = cohort.lead.username if cohort.lead and cohort.has_lead else None
        people = {"lead": lead, "deputy": cohort.deputy.username if cohort.deputy else None}
        return {name: getattr(cohort, name) for name in plain} | people | {"state": cohort.state_at(self.at)}

    def _member(self, seat: Seat) -> dict[str, Any]:
        plain = ("id", "mail", "affiliation", "invited_at", "joined_at", "ends_at", "version")
        account = seat.person.username if seat.person else None
        return {name: getattr(seat, name) for name in plain} | {"account": account, "state": seat.state_at(self.at)}


# --- An application --------------------------------------------------------------------------------------------------


class ApplicationTeam(TeamView):
    """The team of one of your applications."""

    @documented("read_application_team", TeamFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, application_id: str) -> Response:
        """Return who is named in an application, and the cohort that it asks for."""
        return self.shown(team_of_application(self.actor, application_id))

    @documented("name_members", TeamFacts, tag=TAG, body=TeamNamingInput, is_keyed=True, status=201, errors=(404, 429))
    def post(self, request: Request, application_id: str) -> Response:
        """Name people on a draft; each is sent a link of their own."""
        return self.once(lambda _key: self._name(application_id, self.sent(TeamNamingInput)))

    def _name(self, application_id: str, values: dict[str, Any]) -> Response:
        team = team_of_application(self.actor, application_id)
        invitations.invite_to_application(self.actor, team.place.pk, " ".join(values["mails"]), at=self.at)
        return self.shown(team_of_application(self.actor, application_id), 201)


class ApplicationCohort(TeamView):
    """The cohort that an application asks for."""

    @documented("ask_for_cohort", TeamFacts, tag=TAG, body=WishInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str) -> Response:
        """Ask that a lab or a class may use the grant, or drop the wish."""
        return self.once(lambda _key: self._ask(application_id, self.sent(WishInput)))

    def _ask(self, application_id: str, values: dict[str, Any]) -> Response:
        team = team_of_application(self.actor, application_id)
        given: dict[str, Any] = {"expected_version": values["expected_version"], "at": self.at}
        if values.get("kind") is None:
            cohorts.drop_cohort(self.actor, team.place.pk, **given)
        else:
            days = values.get("first_day"), values.get("last_day")
            wish = Wish(values["kind"], values.get("seats", 0), *days)
            cohorts.ask_for_cohort(self.actor, team.place.pk, wish, **given)
        return self.shown(team_of_application(self.actor, application_id))


class ApplicationSeat(TeamView):
    """One seat on your application."""

    def commanded(self, application_id: str, seat_id: int, act: Callable[[Seat], Any]) -> Response:
        """Answer a command with the team as it stands after it."""
        act(seat_in(team_of_application(self.actor, application_id), seat_id))
        return self.shown(team_of_application(self.actor, application_id))


class ApplicationSeatUndo(ApplicationSeat):
    """Take an invitation back."""

    @documented("undo_naming", TeamFacts, tag=TAG, body=VersionInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str, seat_id: int) -> Response:
        """Take an invitation back that nobody answered."""
        return self.once(lambda _key: self.commanded(application_id, seat_id, _undo(self, self.sent(VersionInput))))


class ApplicationSeatRemoval(ApplicationSeat):
    """Take a seat back."""

    @documented("remove_named", TeamFacts, tag=TAG, body=ReasonInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, application_id: str, seat_id: int) -> Response:
        """Take the seat of a member back, with a reason that the member reads."""
        return self.once(lambda _key: self.commanded(application_id, seat_id, _remove(self, self.sent(ReasonInput))))


def _undo(view: TeamView, values: dict[str, Any]) -> Callable[[Seat], Any]:
    return lambda seat: ends.undo_invitation(view.actor, seat.pk, at=view.at, **values)


def _remove(view: TeamView, values: dict[str, Any]) -> Callable[[Seat], Any]:
    return lambda seat: ends.remove_member(view.actor, seat.pk, at=view.at, **values)


# --- A grant ---------------------------------------------------------------------------------------------------------


class GrantTeam(TeamView):
    """The team of a grant that you look after."""

    @documented("read_grant_team", TeamFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, grant_id: str) -> Response:
        """Return who may use the grant, who is invited, and the cohort."""
        return self.shown(team_of_grant(self.actor, grant_id))

    @documented("invite_members", TeamFacts, tag=TAG, body=InvitingInput, is_keyed=True, status=201, errors=(404, 429))
    def post(self, request: Request, grant_id: str) -> Response:
        """Give free seats of the grant."""
        return self.once(lambda _key: self._invite(grant_id, self.sent(InvitingInput)))

    def _invite(self, grant_id: str, values: dict[str, Any]) -> Response:
        team = team_of_grant(self.actor, grant_id)
        mails, until = " ".join(values["mails"]), values.get("until")
        invitations.invite_to_grant(self.actor, team.place.pk, mails, until=until, at=self.at)
        return self.shown(team_of_grant(self.actor, grant_id), 201)


class GrantSeat(TeamView):
    """One seat on a grant."""

    def commanded(self, grant_id: str, seat_id: int, act: Callable[[Seat], Any]) -> Response:
        """Answer a command with the team as it stands after it."""
        act(seat_in(team_of_grant(self.actor, grant_id), seat_id))
        return self.shown(team_of_grant(self.actor, grant_id))


class GrantSeatUndo(GrantSeat):
    """Take an invitation back."""

    @documented("undo_invitation", TeamFacts, tag=TAG, body=VersionInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str, seat_id: int) -> Response:
        """Take an invitation back that nobody answered."""
        return self.once(lambda _key: self.commanded(grant_id, seat_id, _undo(self, self.sent(VersionInput))))


class GrantSeatRemoval(GrantSeat):
    """Take a seat back."""

    @documented("remove_member", TeamFacts, tag=TAG, body=ReasonInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str, seat_id: int) -> Response:
        """Take the seat of a member back: their work stops, and nobody else's."""
        return self.once(lambda _key: self.commanded(grant_id, seat_id, _remove(self, self.sent(ReasonInput))))


class CohortView(TeamView):
    """What the commands on a cohort share."""

    def led(self, grant_id: str, act: Callable[..., Cohort], values: dict[str, Any]) -> Response:
        """Answer a command with the team as it was left; who has left it reads it no more."""
        team = team_of_grant(self.actor, grant_id)
        cohort = act(self.actor, team.place.pk, at=self.at, **values)
        assert cohort.grant is not None
        return self.shown(Team(None, cohort.grant))


class CohortDeputy(CohortView):
    """Name a deputy."""

    @documented("name_deputy", TeamFacts, tag=TAG, body=DeputyInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str) -> Response:
        """Name the member who takes over when there is no lead."""
        return self.once(lambda _key: self._name(grant_id, self.sent(DeputyInput)))

    def _name(self, grant_id: str, values: dict[str, Any]) -> Response:
        given = {"seat_id": values["seat"], "expected_version": values["expected_version"]}
        return self.led(grant_id, cohorts.name_deputy, given)


class CohortHandOver(CohortView):
    """Leave as lead."""

    @documented("hand_over_cohort", TeamFacts, tag=TAG, body=ReasonInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str) -> Response:
        """Leave as lead; members go on for 14 days, by when a deputy leads."""
        return self.once(lambda _key: self.led(grant_id, cohorts.hand_over, self.sent(ReasonInput)))


class CohortTakeOver(CohortView):
    """Take a cohort over."""

    @documented("take_over_cohort", TeamFacts, tag=TAG, body=VersionInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str) -> Response:
        """Lead the cohort whose deputy you are, once it has no lead."""
        return self.once(lambda _key: self.led(grant_id, cohorts.take_over, self.sent(VersionInput)))


class CohortClosing(CohortView):
    """Close a cohort."""

    @documented("close_cohort", TeamFacts, tag=TAG, body=ReasonInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, grant_id: str) -> Response:
        """End every seat of the cohort; members are told."""
        return self.once(lambda _key: self.led(grant_id, cohorts.close_cohort, self.sent(ReasonInput)))


# --- Members ---------------------------------------------------------------------------------------------------------


class SeatView(TokenView):
    """What the addresses of one's own seats share."""

    scopes = (WRITE_SCOPE,)

    def shown(self, seat_id: int, status: int = 200) -> Response:
        """Answer with one of the asker's own seats."""
        response = Response(SeatFacts(facts_of(own_seat(self.actor, seat_id), self.at)).data, status=status)
        response["Location"] = reverse("api-seat", args=[seat_id])
        return response


class Seats(SeatView):
    """Your seats."""

    query = PageQuery

    @documented("list_seats", page_schema("Seat", SeatFacts), tag=TAG, query=PageQuery)
    def get(self, request: Request) -> Response:
        """List your seats on the applications and grants of others, the last taken first."""
        return page_of([facts_of(seat, self.at) for seat in own_seats(self.actor)], SeatFacts, self.asked_for)


class OneSeat(SeatView):
    """One of your seats."""

    @documented("read_seat", SeatFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, seat_id: int) -> Response:
        """Return one of your seats."""
        return self.shown(seat_id)


class SeatLeaving(SeatView):
    """Give a seat up."""

    @documented("leave_seat", SeatFacts, tag=TAG, body=VersionInput, is_keyed=True, errors=(404,))
    def post(self, request: Request, seat_id: int) -> Response:
        """Give your seat up; nothing changes for the others."""
        return self.once(lambda _key: self._leave(seat_id, self.sent(VersionInput)))

    def _leave(self, seat_id: int, values: dict[str, Any]) -> Response:
        ends.leave_seat(self.actor, own_seat(self.actor, seat_id).pk, at=self.at, **values)
        return self.shown(seat_id)


class Invitation(SeatView):
    """An invitation, by its link; the link is sent in the body and stands in no address."""

    @documented("read_invitation", InvitationFacts, tag=TAG, body=LinkInput, is_keyed=True, errors=(404,))
    def post(self, request: Request) -> Response:
        """Return what an invitation is for, and whether you may take it."""
        return self.once(lambda _key: self._read(self.sent(LinkInput)))

    def _read(self, values: dict[str, Any]) -> Response:
        seat = seat_by_link(values["link"], self.at)
        decision = decide_joining(self.actor, seat, self.at)
        facts = {
            "mail": seat.mail,
            "invited_by": seat.invited_by_name,
            "purpose": team_of(seat).purpose,
            "ends_at": seat.ends_at,
            "may_join": decision.allowed,
            "reason": decision.reason,
            "change": decision.change,
        }
        return Response(InvitationFacts(facts).data)


class Joining(SeatView):
    """Join by an invitation."""

    @documented("join", SeatFacts, tag=TAG, body=JoiningInput, is_keyed=True, status=201, errors=(404,))
    def post(self, request: Request) -> Response:
        """Take the seat and sign the agreement in force for yourself; the link is used up."""
        return self.once(lambda _key: self._join(self.sent(JoiningInput)))

    def _join(self, values: dict[str, Any]) -> Response:
        token = values.pop("link")
        return self.shown(join_by_link(self.actor, token, at=self.at, **values).pk, 201)


class Declining(SeatView):
    """Decline an invitation."""

    @documented("decline", DeclinedFacts, tag=TAG, body=LinkInput, is_keyed=True, errors=(404,))
    def post(self, request: Request) -> Response:
        """Say no; the link is used up, and the seat is free."""
        return self.once(lambda _key: self._decline(self.sent(LinkInput)))

    def _decline(self, values: dict[str, Any]) -> Response:
        return Response(DeclinedFacts({"state": ends.decline_by_link(values["link"], at=self.at).state}).data)


def facts_of(seat: Seat, at: Any) -> dict[str, Any]:
    """Return a seat as its member reads it."""
    grant, suspension = seat.grant, seat.open_suspension
    return {
        "id": seat.pk,
        "state": seat.state_at(at),
        "purpose": team_of(seat).purpose,
        "application": seat.application_id if grant is None else None,
        "grant": seat.grant_id,
        "ends_at": seat.facts(grant).ends_at if grant else None,
        "suspension": suspension.reason if suspension else None,
        "version": seat.version,
    }
