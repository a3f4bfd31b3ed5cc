"""How a team looks: seats with what can be done about each, the cohort with its commands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.grant_rules import CONFIRM_WITHIN, state_at
from release_portal.access.models import Application, Grant, Seat
from release_portal.access.people.cohorts import decide_cohort
from release_portal.access.people.invitations import decide_inviting
from release_portal.access.people.lookups import decide_seat, may_see_team, seats_of
from release_portal.access.people.seat_rules import JOINED, TAKEN
from release_portal.access.people.suspensions import decide_officer
from release_portal.access.people.teams import Team
from release_portal.core.actors import Actor
from release_portal.core.decisions import Refusal
from release_portal.pages.forms import teams as forms
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.words import FUNCTIONS, state_pill

SEAT_FORMS: dict[str, type[ServiceForm]] = {
    "undo": forms.PlainForm,
    "remove": forms.RemoveForm,
    "suspend": forms.SuspendForm,
    "confirm": forms.ConfirmForm,
    "lift": forms.LiftForm,
}
COHORT_FORMS: dict[str, type[ServiceForm]] = {
    "name": forms.DeputyForm,
    "take": forms.PlainForm,
    "hand": forms.HandForm,
    "close": forms.CloseForm,
}
OFFICER = ("suspend", "confirm", "lift")
Bound = dict[str, ServiceForm]


def summary_of(actor: Actor, team: Team, at: datetime) -> dict[str, Any]:
    """Return a team in a few words, for the pages of its application or grant."""
    return {
        "used": team.used(at),
        "seats": team.seats(),
        "cohort": team.cohort,
        "url": _address(team) if may_see_team(actor, team) else "",
        "rows": [{"seat": seat, "state": state_pill(seat.state_at(at))} for seat in _live(team, at)],
    }


def summary_of_grant(actor: Actor, grant: Grant, at: datetime) -> dict[str, Any]:
    """Return the team of a grant; who merely sits on it reads no names."""
    shown = summary_of(actor, Team(None, grant), at)
    return shown if shown["url"] else {**shown, "rows": []}


def summary_of_application(actor: Actor, application: Application, at: datetime) -> dict[str, Any]:
    """Return who is named in an application, and which cohort it asks for."""
    team = Team(application)
    return summary_of(actor, team, at) | {"wish": team.wish()}


def reviewed(application: Application, at: datetime) -> dict[str, Any]:
    """Return what reviewers read of a team: who is named, who joined, and the cohort that is asked for."""
    rows = application.seats.select_related("person")
    named = [{"seat": seat, "state": state_pill(seat.state_at(at))} for seat in rows]
    return {"rows": named, "wish": Team(application).wish()}


def page_of_team(actor: Actor, team: Team, at: datetime, bound: Bound | None = None) -> dict[str, Any]:
    """Return everything that the page of a team shows."""
    bound = bound or {}
    rows = [_row(actor, team, seat, at, bound) for seat in seats_of(team)]
    inviting = decide_inviting(actor, team, at)
    return {
        "team": team,
        "used": team.used(at),
        "seats": team.seats(),
        "rows": [row for row in rows if row["is_live"]],
        "past": [row for row in rows if not row["is_live"]],
        "invite": bound.get("invite") or invite_form(team) if inviting or "invite" in bound else None,
        "inviting": None if inviting.refusal is Refusal.MAY_NOT else inviting,
        "action": command_address(team, "invite"),
        "cohort": _cohort(actor, team, at, bound) if team.cohort and team.grant else None,
        "wish": team.wish(),
    }


def invite_form(team: Team, data: Any = None) -> ServiceForm:
    """Return the form by which people are invited; on a draft all seats end together."""
    kind = forms.InviteForm if team.grant else forms.NameForm
    return kind(data, auto_id="id_invite_%s")


def seat_form(seat: Seat, name: str, data: Any = None) -> ServiceForm:
    """Return a form about one seat; its ids are its own among the others on the page."""
    initial = {"expected_version": seat.version}
    return SEAT_FORMS[name](data, auto_id=f"id_{name}_{seat.pk}_%s", initial=initial)


def cohort_form(team: Team, name: str, data: Any = None) -> ServiceForm:
    """Return a form about the cohort."""
    assert team.cohort is not None
    more: dict[str, Any] = {}
    if name == "name":
        joined = team.rows().filter(state=JOINED).exclude(person=team.cohort.lead_id).select_related("person")
        more["members"] = list(joined)
    initial = {"expected_version": team.cohort.version}
    return COHORT_FORMS[name](data, auto_id=f"id_{name}_%s", initial=initial, **more)


def wish_form(team: Team, data: Any = None) -> ServiceForm:
    """Return the form by which a cohort is asked for, with what was asked before."""
    asked = getattr(team.application, "cohort", None)
    initial: dict[str, Any] = {"expected_version": asked.version if asked else 0}
    if (wish := team.wish()) is not None:
        days = {"first_day": wish.first_day or "", "last_day": wish.last_day or ""}
        initial |= {"kind": wish.kind, "seats": wish.seats, **days}
    return forms.WishForm(data, auto_id="id_wish_%s", initial=initial)


def command_address(team: Team, name: str) -> str:
    """Return where a command on the team is sent."""
    return reverse(f"{team.kind}-team-command", args=[team.place.pk, name])


def _address(team: Team) -> str:
    return reverse(f"{team.kind}-team", args=[team.place.pk])


def _live(team: Team, at: datetime) -> list[Seat]:
    return [seat for seat in seats_of(team) if seat.state_at(at) in TAKEN]


def _row(actor: Actor, team: Team, seat: Seat, at: datetime, bound: Bound) -> dict[str, Any]:
    state, suspension, cohort = seat.state_at(at), seat.open_suspension, team.cohort
    is_open = suspension is not None and suspension.confirmed_at is None
    return {
        "seat": seat,
        "state": state_pill(state),
        "is_live": state in TAKEN,
        "is_lead": bool(cohort and seat.person_id and cohort.lead_id == seat.person_id),
        "is_deputy": bool(cohort and seat.person_id and cohort.deputy_id == seat.person_id),
        "suspension": suspension,
        "lapses_at": suspension.at + CONFIRM_WITHIN if suspension and is_open else None,
        "commands": [_command(actor, team, seat, name, at, bound) for name in _offered(actor, seat, at)],
    }


def _offered(actor: Actor, seat: Seat, at: datetime) -> list[str]:
    return [name for name in SEAT_FORMS if decide_seat(name, actor, seat, at)]


def _command(actor: Actor, team: Team, seat: Seat, name: str, at: datetime, bound: Bound) -> dict[str, Any]:
    decision = decide_officer(name, actor, seat, at) if name in OFFICER else None
    given = bound.get(f"{name}:{seat.pk}")
    return {
        "name": name,
        "label": _labels()[name],
        "form": given or seat_form(seat, name),
        "is_open": given is not None,
        "decision": decision if decision is not None and not decision else None,
        "action": reverse(f"{team.kind}-seat-command", args=[team.place.pk, seat.pk, name]),
    }


def _cohort(actor: Actor, team: Team, at: datetime, bound: Bound) -> dict[str, Any]:
    cohort = team.cohort
    assert cohort is not None
    offered = [name for name in COHORT_FORMS if name in bound or decide_cohort(name, actor, cohort, at)]
    return {
        "cohort": cohort,
        "state": state_pill(cohort.state_at(at)),
        "commands": [
            {
                "name": name,
                "label": _labels()[name],
                "form": bound.get(name) or cohort_form(team, name),
                "is_open": name in bound,
                "decision": None,
                "action": command_address(team, name),
            }
            for name in offered
        ],
    }


def _labels() -> dict[str, str]:
    return {
        "undo": _("Take the invitation back"),
        "remove": _("Take the seat back"),
        "suspend": _("Suspend this member"),
        "confirm": _("Confirm the suspension"),
        "lift": _("Lift the suspension"),
        "name": _("Name a deputy"),
        "take": _("Take the cohort over"),
        "hand": _("Leave as lead"),
        "close": _("Close the cohort"),
    }


def row_of_seat(shown: Seat, at: datetime) -> dict[str, Any]:
    """Return a seat as its member reads it: what counts for them, the end that comes first."""
    grant = shown.grant
    facts = shown.facts(grant) if grant else None
    return {
        "seat": shown,
        "state": state_pill(shown.state_at(at)),
        "grant": grant,
        "grant_state": state_pill(state_at(facts, at)) if facts else None,
        "ends_at": facts.ends_at if facts else None,
        "suspension": shown.open_suspension,
        "functions": [FUNCTIONS.get(one.name, one.name) for one in grant.functions.all()] if grant else [],
    }
