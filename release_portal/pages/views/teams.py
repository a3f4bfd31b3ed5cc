"""Teams as those see them who look after them: on a draft, and on a grant; officers suspend one member here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.people import cohorts, ends, invitations, suspensions
from release_portal.access.people.cohort_rules import Wish
from release_portal.access.people.lookups import note_team_look, seat_in, team_of_application, team_of_grant
from release_portal.access.people.teams import Team
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import InvalidInput, NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.applications import day_of
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.teams import (
    COHORT_FORMS,
    SEAT_FORMS,
    Bound,
    cohort_form,
    invite_form,
    page_of_team,
    seat_form,
    wish_form,
)

Find = Callable[[], Team]


@signed_in
def application_team(request: PortalRequest, application_id: str) -> HttpResponse:
    """Who is named in an application, and whether it asks for a cohort."""
    return _page(request, team_of_application(request.actor, application_id))


@signed_in
def grant_team(request: PortalRequest, grant_id: str) -> HttpResponse:
    """Who may use a grant beside its holder."""
    return _page(request, team_of_grant(request.actor, grant_id))


@signed_in
def application_command(request: PortalRequest, application_id: str, name: str) -> HttpResponse:
    """Name people, ask for a cohort, or work without one after all."""
    actor = request.actor
    return _team_command(request, name, lambda: team_of_application(actor, application_id), ("invite", "ask", "drop"))


@signed_in
def grant_command(request: PortalRequest, grant_id: str, name: str) -> HttpResponse:
    """Invite people, and lead the cohort."""
    actor = request.actor
    return _team_command(request, name, lambda: team_of_grant(actor, grant_id), ("invite", *COHORT_FORMS))


@signed_in
def application_seat(request: PortalRequest, application_id: str, seat_id: int, name: str) -> HttpResponse:
    """Take back an invitation or a seat on an application."""
    actor = request.actor
    return _seat_command(request, seat_id, name, lambda: team_of_application(actor, application_id))


@signed_in
def grant_seat(request: PortalRequest, grant_id: str, seat_id: int, name: str) -> HttpResponse:
    """Take back or suspend one seat of a grant."""
    actor = request.actor
    return _seat_command(request, seat_id, name, lambda: team_of_grant(actor, grant_id))


# --- Commands --------------------------------------------------------------------------------------------------------


def _team_command(request: PortalRequest, name: str, find: Find, known: tuple[str, ...]) -> HttpResponse:
    team = find()
    if name not in known or (name in COHORT_FORMS and team.cohort is None):
        raise _nothing()
    if request.method != "POST":
        return showing.see_other(team.path)
    form = _form(team, name, request.POST)
    try:
        _carry_out(request.actor, team, name, form)
    except PortalError as error:
        return _refused(request, find(), name, form, error)
    messages.success(request, _done(name))
    return showing.see_other(team.path if name not in ("hand", "close") else reverse("grants"))


def _form(team: Team, name: str, data: Any) -> ServiceForm:
    if name == "invite":
        return invite_form(team, data)
    return wish_form(team, data) if name in ("ask", "drop") else cohort_form(team, name, data)


def _carry_out(actor: Actor, team: Team, name: str, form: ServiceForm) -> None:
    if name == "invite":
        _invite(actor, team, form)
    elif team.grant is None:
        _ask(actor, team, name, form)
    else:
        _lead(actor, team.place.pk, name, form)


def _invite(actor: Actor, team: Team, form: ServiceForm) -> None:
    if team.grant is None:
        invitations.invite_to_application(actor, team.place.pk, form.text("mails"), at=now())
        return
    until = day_of(form.text("until"), "until")
    invitations.invite_to_grant(actor, team.place.pk, form.text("mails"), until=until, at=now())


def _ask(actor: Actor, team: Team, name: str, form: ServiceForm) -> None:
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if name == "drop":
        cohorts.drop_cohort(actor, team.place.pk, **given)
        return
    written = form.text("seats").strip()
    if not (written.isascii() and written.isdecimal() and len(written) < 6):
        raise InvalidInput("Write a whole number.", field="seats")
    first, last = day_of(form.text("first_day"), "first_day"), day_of(form.text("last_day"), "last_day")
    wish = Wish(form.text("kind"), int(written), first, last)
    cohorts.ask_for_cohort(actor, team.place.pk, wish, **given)


def _lead(actor: Actor, grant_id: str, name: str, form: ServiceForm) -> None:
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if name == "name":
        written = form.text("deputy")
        seat_id = int(written) if written.isascii() and written.isdecimal() and len(written) < 19 else 0
        cohorts.name_deputy(actor, grant_id, seat_id, **given)
    elif name == "take":
        cohorts.take_over(actor, grant_id, **given)
    elif name == "hand":
        cohorts.hand_over(actor, grant_id, reason=form.text("reason"), **given)
    else:
        cohorts.close_cohort(actor, grant_id, reason=form.text("reason"), **given)


def _seat_command(request: PortalRequest, seat_id: int, name: str, find: Find) -> HttpResponse:
    team = find()
    seat = seat_in(team, seat_id)
    if name not in SEAT_FORMS:
        raise _nothing()
    if request.method != "POST":
        return showing.see_other(team.path)
    form = seat_form(seat, name, request.POST)
    try:
        _on_seat(request.actor, seat.pk, name, form)
    except PortalError as error:
        return _refused(request, find(), f"{name}:{seat.pk}", form, error)
    messages.success(request, _done(name))
    return showing.see_other(team.path)


def _on_seat(actor: Actor, seat_id: int, name: str, form: ServiceForm) -> None:
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if name == "undo":
        ends.undo_invitation(actor, seat_id, **given)
    elif name == "remove":
        ends.remove_member(actor, seat_id, reason=form.text("reason"), **given)
    elif name == "suspend":
        suspensions.suspend_seat(actor, seat_id, reason=form.text("reason"), **given)
    elif name == "confirm":
        suspensions.confirm_seat_suspension(actor, seat_id, reason=form.text("reason"), **given)
    else:
        suspensions.lift_seat_suspension(actor, seat_id, reason=form.text("reason"), **given)


def _done(name: str) -> str:
    return {
        "invite": _("The invitations are on their way. Who joins stands here."),
        "ask": _("Your application asks for a cohort now."),
        "drop": _("Your application asks for no cohort any more."),
        "undo": _("The invitation is taken back; its link opens nothing."),
        "remove": _("The seat is taken back. The member is told why."),
        "suspend": _("The member is suspended. Their work stops; nobody else's does."),
        "confirm": _("The suspension is confirmed and no longer lapses."),
        "lift": _("The suspension is lifted. The seat works again."),
        "name": _("The deputy is named and told."),
        "take": _("You lead this cohort now."),
        "hand": _("You have left. Members are told; the deputy can take over."),
        "close": _("The cohort is closed. Every member is told."),
    }[name]


# --- The page --------------------------------------------------------------------------------------------------------


def _refused(request: PortalRequest, team: Team, key: str, form: ServiceForm, error: PortalError) -> HttpResponse:
    """Show the error at its form where the form still stands on the page; else as a page of its own."""
    context = page_of_team(request.actor, team, now())
    if not _is_offered(context, team, key):
        raise error
    form.refuse(error, **_fresh(team, key))
    return _page(request, team, {key: form}, error.status)


def _is_offered(context: dict[str, Any], team: Team, key: str) -> bool:
    name, _colon, seat_id = key.partition(":")
    if seat_id:
        return any(str(row["seat"].pk) == seat_id and name in _names(row) for row in context["rows"])
    if name == "invite":
        return context["invite"] is not None or context["inviting"] is not None
    if name in ("ask", "drop"):
        return team.takes_invitations()
    return context["cohort"] is not None and name in _names(context["cohort"])


def _names(row: dict[str, Any]) -> list[str]:
    return [command["name"] for command in row["commands"]]


def _fresh(team: Team, key: str) -> dict[str, Any]:
    """The versions as they are now, so that sending again is about what is shown."""
    name, _colon, seat_id = key.partition(":")
    if seat_id:
        return {"expected_version": seat_in(team, int(seat_id)).version}
    if name == "invite":
        return {}
    asked = getattr(team.application, "cohort", None) if team.application else team.cohort
    return {"expected_version": asked.version if asked else 0}


def _page(request: PortalRequest, team: Team, bound: Bound | None = None, status: int = 200) -> HttpResponse:
    at, actor = now(), request.actor
    note_team_look(actor, team, at=at)
    is_draft = team.application is not None and team.takes_invitations()
    context = page_of_team(actor, team, at, bound)
    context["wish_form"] = ((bound or {}).get("ask") or wish_form(team)) if is_draft else None
    return render(request, "teams/team.html", context | _crumbs(team), status=status)


def _crumbs(team: Team) -> dict[str, Any]:
    if team.grant:
        first = {"label": _("Grant %(id)s") % {"id": team.grant.pk}, "url": reverse("grant", args=[team.grant.pk])}
    else:
        application = team.application
        assert application is not None
        url = reverse("application", args=[application.pk])
        first = {"label": _("Application %(id)s") % {"id": application.pk}, "url": url}
    return {"breadcrumbs": [first, {"label": _("Team")}], "back": first}


def _nothing() -> NotFound:
    return NotFound("There is nothing here.", change="What can be done stands on the page of the team.")
