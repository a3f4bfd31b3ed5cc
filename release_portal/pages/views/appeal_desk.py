"""The appeal desk: the queue, one appeal, and what is done with it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.views.decorators.cache import never_cache

from release_portal.accounts.looks import note_look
from release_portal.appeals import services
from release_portal.appeals.lookups import appeal_to_decide, appeals_to_decide, decision_on, free_deciders
from release_portal.appeals.models import Appeal
from release_portal.appeals.rules import DECIDERS, ENDED
from release_portal.appeals.services import appeal_subject
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.decisions import Decision
from release_portal.core.declare import roles
from release_portal.core.errors import NotFound, PortalError, error_of
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.appeals import AskForm, AssignForm, DecideForm, DeskForm, DismissForm, PlainForm
from release_portal.pages.paging import page_of
from release_portal.pages.views.appeals import facts_of
from release_portal.pages.words_appeals import appeal_pill

Given = dict[str, Any]

FORMS: dict[str, type[DeskForm]] = {
    "accept": PlainForm,
    "dismiss": DismissForm,
    "assign": AssignForm,
    "ask": AskForm,
    "decide": DecideForm,
    "execute": PlainForm,
    "close": PlainForm,
}
HEADINGS = {
    "accept": (lazy("Take the appeal in"), lazy("Take in")),
    "dismiss": (lazy("Declare it inadmissible"), lazy("Declare inadmissible")),
    "assign": (lazy("Give it to somebody who decides"), lazy("Assign")),
    "ask": (lazy("Ask the appellant"), lazy("Send the question")),
    "decide": (lazy("Decide on the appeal"), lazy("Decide")),
    "execute": (lazy("Carry the decision out"), lazy("Carry out now")),
    "close": (lazy("Close the appeal"), lazy("Close")),
}


@roles(*DECIDERS)
def queue(request: PortalRequest) -> HttpResponse:
    """Appeals that wait, the oldest promise first."""
    at, found = now(), appeals_to_decide(request.actor)
    ended = page_of(request, found.filter(state__in=ENDED))
    context = {
        "waiting": [_row(one, at) for one in found.open().order_by("due_at", "pk")],
        "page_obj": ended,
        "ended": [_row(one, at) for one in ended],
    }
    return render(request, "appeals/queue.html", context)


def _row(shown: Appeal, at: datetime) -> dict[str, Any]:
    is_late = shown.outcome_at is None and shown.state not in ENDED and at > shown.due_at
    return {"appeal": shown, "state": appeal_pill(shown.state), "is_late": is_late}


@roles(*DECIDERS)
@never_cache
def appeal(request: PortalRequest, appeal_id: str) -> HttpResponse:
    """One appeal with the decision that it is about, and what may be done."""
    return _page(request, appeal_to_decide(request.actor, appeal_id))


@roles(*DECIDERS)
@never_cache
def command(request: PortalRequest, appeal_id: str, name: str) -> HttpResponse:
    """Take in, dismiss, assign, ask, decide, carry out or close."""
    shown = appeal_to_decide(request.actor, appeal_id)
    if name not in FORMS:
        raise NotFound("There is nothing here.", change="What can be done stands on the page of the appeal.")
    address = reverse("appeal-desk", args=[shown.pk])
    if request.method != "POST":
        return showing.see_other(address)
    form = _form(name, shown, request.POST)
    try:
        COMMANDS[name](request.actor, shown.pk, form, {"expected_version": form.version(), "at": now()})
    except PortalError as error:
        return _refused(request, shown.pk, name, form, error)
    messages.success(request, _("Done. Those concerned are told."))
    return showing.see_other(address)


def _form(name: str, shown: Appeal, data: Any = None, **more: Any) -> DeskForm:
    return FORMS[name](data, appeal=shown, auto_id=f"id_{name}_%s", **more)


COMMANDS: dict[str, Callable[[Actor, str, DeskForm, Given], Any]] = {
    "accept": lambda actor, pk, form, given: services.accept_appeal(actor, pk, **given),
    "dismiss": lambda actor, pk, form, given: services.dismiss_appeal(actor, pk, code=form.text("code"), **given),
    "assign": lambda actor, pk, form, given: services.assign_appeal(actor, pk, to=form.text("to"), **given),
    "ask": lambda actor, pk, form, given: services.ask_appellant(actor, pk, question=form.text("question"), **given),
    "decide": lambda actor, pk, form, given: services.decide_appeal(
        actor, pk, verdict=form.text("verdict"), reason=form.text("reason"), **given
    ),
    "execute": lambda actor, pk, form, given: services.execute_appeal(actor, pk, **given),
    "close": lambda actor, pk, form, given: services.close_appeal(actor, pk, **given),
}


def _refused(request: PortalRequest, appeal_id: str, name: str, form: DeskForm, error: PortalError) -> HttpResponse:
    fresh = appeal_to_decide(request.actor, appeal_id)
    decision = _decision(name, request.actor, fresh)
    if not decision:
        raise error_of(decision)
    form.refuse(error, expected_version=fresh.version)
    return _page(request, fresh, {name: form}, error.status)


def _decision(name: str, actor: Actor, shown: Appeal) -> Decision:
    """Deciding is three commands of the lifecycle; who may overturn may uphold as well."""
    return decision_on("overturn" if name == "decide" else name, actor, shown)


def _page(
    request: PortalRequest, shown: Appeal, bound: dict[str, DeskForm] | None = None, status: int = 200
) -> HttpResponse:
    note_look(request.actor, shown.appellant, "appeal", appeal_subject(shown), at=now())
    decisions = {name: _decision(name, request.actor, shown) for name in FORMS}
    context = {
        **facts_of(shown),
        "path": _path_of(shown),
        "sections": [_section(name, shown, bound or {}) for name, decision in decisions.items() if decision],
        "closed": None if any(decisions.values()) else decisions["decide"],
        "free": ", ".join(user.name for user in free_deciders(shown)),
        "breadcrumbs": [{"label": _("Appeals"), "url": reverse("appeal-queue")}, {"label": shown.pk}],
    }
    return render(request, "appeals/desk.html", context, status=status)


def _path_of(shown: Appeal) -> str:
    """Return the page of the decision as staff read it."""
    path = f"/{shown.subject.split(':')[0]}s/{shown.subject.split(':')[1]}/"
    return f"/staff{path}" if shown.subject.startswith("application:") else path


def _section(name: str, shown: Appeal, bound: dict[str, DeskForm]) -> dict[str, Any]:
    form = bound.get(name) or _form(name, shown, initial={"expected_version": shown.version})
    heading, submit = HEADINGS[name]
    return {"name": name, "heading": heading, "submit": submit, "form": form}
