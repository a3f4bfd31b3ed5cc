"""Grants: what you hold, what everybody holds, and taking one back or giving it back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.engagements import engagement_in_force
from release_portal.access.grant_rules import CONFIRM_WITHIN, GRANT, PAUSED, Pause, may_read_every_grant
from release_portal.access.grant_search import SEARCHED, GrantSearch, grants_found
from release_portal.access.lookups import grant_for, grants_for
from release_portal.access.models import Grant
from release_portal.access.pausing import pauses_on
from release_portal.access.people.lookups import own_seats
from release_portal.access.restricting import restrict_grant
from release_portal.access.revocations import decide_revoking, open_proposal, propose_revocation, revoke_grant
from release_portal.access.services import (
    confirm_suspension,
    decide_command,
    grant_subject,
    lift_suspension,
    relations_of,
    surrender_grant,
    suspend_grant,
)
from release_portal.accounts.looks import note_look
from release_portal.accounts.roles import STAFF_ROLES
from release_portal.audit.lookups import events_about
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import roles, signed_in
from release_portal.core.errors import NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.jobs.quotas import holder_of, usage_of
from release_portal.pages import showing
from release_portal.pages.appealing import appeals_of_grant
from release_portal.pages.applying import renew_url
from release_portal.pages.downloads import grants_sheet, is_wanted
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.grant_duties import EngagedSuspendForm
from release_portal.pages.forms.grants import (
    ConfirmForm,
    LiftForm,
    ProposeForm,
    RestrictForm,
    RevokeForm,
    SurrenderForm,
    SuspendForm,
)
from release_portal.pages.grant_duties import duties_of, sizes_of
from release_portal.pages.paging import filter_text, page_of
from release_portal.pages.quotas import quota_section
from release_portal.pages.receipts import receipts_of
from release_portal.pages.teams import row_of_seat, summary_of_grant
from release_portal.pages.words import FUNCTIONS, state_pill, state_word

FORMS: dict[str, type[ServiceForm]] = {
    "suspend": SuspendForm,
    "restrict": RestrictForm,
    "confirm": ConfirmForm,
    "lift": LiftForm,
    "propose": ProposeForm,
    "revoke": RevokeForm,
    "surrender": SurrenderForm,
}


@signed_in
def grants(request: PortalRequest) -> HttpResponse:
    """What the reader holds."""
    at = now()
    held = grants_for(request.actor).filter(holder_id=int(request.actor.id))
    seats = [row_of_seat(one, at) for one in own_seats(request.actor)]
    rows = [card_of(request.actor, grant, at) for grant in held]
    return render(request, "grants/grants.html", {"rows": rows, "seats": seats})


@roles(*sorted(STAFF_ROLES))
def staff_grants(request: PortalRequest) -> HttpResponse:
    """Every grant; suspensions that wait for a second officer first."""
    at = now()
    search = {name: filter_text(request, name) for name in SEARCHED}
    found = grants_found(request.actor, GrantSearch(**search), at=at)
    if is_wanted(request):
        return grants_sheet(found, at)
    page = page_of(request, found)
    pauses = pauses_on(page, at)
    context = {
        "page_obj": page,
        "rows": [row_of(grant, at, pauses[grant.pk]) for grant in page],
        "states": [(slug, state_word(slug)) for slug in GRANT.states],
        "search": search,
        "is_searched": any(search.values()),
    }
    return render(request, "grants/staff.html", context)


@signed_in
def grant(request: PortalRequest, grant_id: str) -> HttpResponse:
    """One grant: what it opens, why it is suspended, and what may be done about it."""
    return grant_page(request, grant_for(request.actor, grant_id))


@signed_in
def command(request: PortalRequest, grant_id: str, name: str) -> HttpResponse:
    """Suspend a grant, confirm its suspension, or lift it."""
    shown = grant_for(request.actor, grant_id)
    if name not in FORMS:
        raise NotFound("There is nothing here.", change="What can be done stands on the grant's page.")
    address = reverse("grant", args=[shown.pk])
    if request.method != "POST":
        return showing.see_other(address)
    form = _form(shown, name, request.POST)
    try:
        _carry_out(request.actor, shown, name, form)
    except PortalError as error:
        return _refused(request, shown, name, form, error)
    messages.success(request, _done(name))
    return showing.see_other(address)


def _form(shown: Grant, name: str, data: Any = None, **more: Any) -> ServiceForm:
    """A grant with rules of engagement asks more of who suspends it."""
    if name == "suspend" and engagement_in_force(shown, now()) is not None:
        return EngagedSuspendForm(data, auto_id="id_suspend_%s", sizes=sizes_of(shown), **more)
    if name == "restrict":
        more["grant"] = shown
    return FORMS[name](data, auto_id=f"id_{name}_%s", **more)


def _carry_out(actor: Actor, shown: Grant, name: str, form: ServiceForm) -> None:
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if name == "propose":
        propose_revocation(actor, shown.pk, code=form.text("code"), text=form.text("explanation"), **given)
        return
    given["reason"] = form.text("reason")
    if isinstance(form, RestrictForm):
        restrict_grant(actor, shown.pk, form.scope(), **given)
    elif name == "revoke":
        revoke_grant(actor, shown.pk, **given)
    elif name == "suspend":
        suspend_grant(actor, shown.pk, **given, **_engaged(shown, form, given["at"]))
    elif name == "confirm":
        confirm_suspension(actor, shown.pk, **given)
    elif name == "surrender":
        surrender_grant(actor, shown.pk, **given)
    else:
        lift_suspension(actor, shown.pk, **given, is_unfounded=form.ticked("unfounded"))


def _engaged(shown: Grant, form: ServiceForm, at: datetime) -> dict[str, Any]:
    """What is said to have been done, where the grant has rules of engagement."""
    if not isinstance(form, EngagedSuspendForm):
        return {}
    usage = usage_of(holder_of(shown), at)
    return {"act": form.act(usage.tokens + usage.reserved, at), "further": form.text("further")}


def _done(name: str) -> str:
    return {
        "suspend": _("The grant is suspended. Work that it permitted stops; the holder reads your reason."),
        "restrict": _("The grant is narrower now; the holder reads what changed and your reason."),
        "confirm": _("The suspension is confirmed and no longer lapses."),
        "lift": _("The suspension is lifted. The grant works again."),
        "propose": _("The revocation is proposed and the grant is suspended. Another lead must confirm it."),
        "revoke": _("The grant is revoked. The holder is told and may appeal."),
        "surrender": _("You have given the grant up. Work that it permitted stops."),
    }[name]


def _refused(request: PortalRequest, shown: Grant, name: str, form: ServiceForm, error: PortalError) -> HttpResponse:
    fresh = grant_for(request.actor, shown.pk)
    if name not in _offered(request.actor, fresh):
        raise error
    form.refuse(error, expected_version=fresh.version)
    return grant_page(request, fresh, {name: form}, error.status)


def _offered(actor: Actor, shown: Grant) -> list[str]:
    available = GRANT.available(shown.state, relations_of(actor, shown))
    return [command.name for command in available if command.name in FORMS]


def grant_page(
    request: PortalRequest, shown: Grant, bound: dict[str, ServiceForm] | None = None, status: int = 200
) -> HttpResponse:
    """Return the page of a grant, with forms that were refused in place of fresh ones."""
    at, actor = now(), request.actor
    note_look(actor, shown.holder, "grant", grant_subject(shown), at=at)
    events = events_about(grant_subject(shown))
    context = {
        **card_of(actor, shown, at),
        **duties_of(actor, shown, bound or {}, at),
        "quota_section": quota_section(shown, at),
        "commands": [_command(actor, shown, name, (bound or {}).get(name)) for name in _offered(actor, shown)],
        "suspensions": shown.suspensions.all(),
        "proposal": open_proposal(shown),
        "appeals": appeals_of_grant(actor, shown, at),
        "receipts": receipts_of(actor, shown.pk),
        "team": summary_of_grant(actor, shown, at),
        "renew_url": renew_url(actor, shown, at),
        "history": [_line_of(event) for event in events],
        "breadcrumbs": [_back(actor), {"label": shown.pk}],
    }
    return render(request, "grants/grant.html", context, status=status)


def _command(actor: Actor, shown: Grant, name: str, bound: ServiceForm | None) -> dict[str, Any]:
    """A form for the command, or the reason in place of one that would only be refused."""
    decide = decide_revoking if name in ("propose", "revoke") else decide_command
    decision = decide(actor, shown, name)
    form = bound or _form(shown, name, initial={"expected_version": shown.version})
    return {"name": name, "form": form, "decision": None if decision or bound else decision}


def _back(actor: Actor) -> dict[str, str]:
    if may_read_every_grant(actor):
        return {"label": _("All grants"), "url": reverse("staff-grants")}
    return {"label": _("Your grants"), "url": reverse("grants")}


def _line_of(event: AuditEvent) -> dict[str, Any]:
    """An event of the grant; one that narrowed it says what changed."""
    line, changes = showing.event_line(event), event.data.get("changes")
    return {**line, "body": f"{line['body']} ({'; '.join(changes)})"} if changes else line


def row_of(shown: Grant, at: datetime, pauses: tuple[Pause, ...]) -> dict[str, Any]:
    """Return a grant as a row: its state at the time, what rests it, and when an unconfirmed suspension lapses."""
    suspension, state = shown.open_suspension, shown.state_at(at, pauses)
    is_waiting = suspension is not None and suspension.confirmed_at is None
    return {
        "grant": shown,
        "state": state_pill(state),
        "pauses": pauses if state == PAUSED else (),
        "suspension": suspension,
        "lapses_at": suspension.at + CONFIRM_WITHIN if suspension and is_waiting else None,
        "functions": [FUNCTIONS.get(function.name, function.name) for function in shown.functions.all()],
    }


def card_of(actor: Actor, shown: Grant, at: datetime) -> dict[str, Any]:
    """Return a grant with what is used of it today."""
    pauses = pauses_on([shown], at)[shown.pk]
    return {**row_of(shown, at, pauses), "quota": showing.quota_of(actor, shown, at)}
