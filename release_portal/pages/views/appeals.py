"""Appeals as those see them who appeal: file one, signed in or by the mailed link, follow it, answer."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from release_portal.appeals.handlers import Appealable
from release_portal.appeals.lookups import decision_by_link, decision_on, decision_to_appeal, may_appeal, own_appeal
from release_portal.appeals.models import Appeal
from release_portal.appeals.rules import INADMISSIBLE_REASONS
from release_portal.appeals.services import answer_appeal, appeal_subject, file_appeal, file_appeal_by_link
from release_portal.audit.lookups import events_about
from release_portal.core.clock import now
from release_portal.core.declare import public, signed_in
from release_portal.core.errors import InvalidInput, PortalError, error_of
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.appeals import AnswerForm, FileForm
from release_portal.pages.words_appeals import appeal_pill


@signed_in
@never_cache
def new(request: PortalRequest, subject: str) -> HttpResponse:
    """Appeal against a decision about oneself."""
    at = now()
    found = decision_to_appeal(request.actor, subject, at)
    decision = may_appeal(found, at)
    if not decision:
        raise error_of(decision)
    form = FileForm(request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _file_page(request, found, form)
    try:
        filed = file_appeal(request.actor, subject, text=form.text("grounds"), at=at)
    except InvalidInput as error:
        form.refuse(error)
        return _file_page(request, found, form, error.status)
    messages.success(request, _("Your appeal has arrived. Somebody who took no part in the decision answers it."))
    return showing.see_other(reverse("appeal", args=[filed.pk]))


@public
@never_cache
def by_link(request: PortalRequest, token: str) -> HttpResponse:
    """Appeal with the link from the mail; a link that is wrong, used or too late has one answer."""
    at = now()
    _link, found = decision_by_link(token, at)
    form = FileForm(request.POST if request.method == "POST" else None)
    if request.method != "POST":
        return _file_page(request, found, form)
    try:
        filed = file_appeal_by_link(token, text=form.text("grounds"), at=at)
    except InvalidInput as error:
        form.refuse(error)
        return _file_page(request, found, form, error.status)
    return render(request, "appeals/filed.html", {"appeal": filed})


def _file_page(request: PortalRequest, found: Appealable, form: FileForm, status: int = 200) -> HttpResponse:
    return render(request, "appeals/file.html", {"found": found, "form": form}, status=status)


@signed_in
@never_cache
def appeal(request: PortalRequest, appeal_id: str) -> HttpResponse:
    """Where an appeal stands, whose turn it is, and until when."""
    return _appeal_page(request, own_appeal(request.actor, appeal_id))


@signed_in
@never_cache
def answer(request: PortalRequest, appeal_id: str) -> HttpResponse:
    """Answer what the desk asked."""
    shown = own_appeal(request.actor, appeal_id)
    address = reverse("appeal", args=[shown.pk])
    if request.method != "POST":
        return showing.see_other(address)
    form = AnswerForm(request.POST)
    try:
        answer_appeal(request.actor, shown.pk, answer=form.text("answer"), expected_version=form.version(), at=now())
    except PortalError as error:
        return _answer_refused(request, appeal_id, form, error)
    messages.success(request, _("Your answer has arrived."))
    return showing.see_other(address)


def _answer_refused(request: PortalRequest, appeal_id: str, form: AnswerForm, error: PortalError) -> HttpResponse:
    fresh = own_appeal(request.actor, appeal_id)
    decision = decision_on("answer", request.actor, fresh)
    if not decision:
        raise error_of(decision)
    form.refuse(error, expected_version=fresh.version)
    return _appeal_page(request, fresh, form, error.status)


def _appeal_page(
    request: PortalRequest, shown: Appeal, bound: AnswerForm | None = None, status: int = 200
) -> HttpResponse:
    may_answer = bool(decision_on("answer", request.actor, shown))
    offered = bound or AnswerForm(initial={"expected_version": shown.version})
    context = {
        **facts_of(shown),
        "form": offered if may_answer else None,
        "breadcrumbs": [_back(shown), {"label": shown.pk}],
    }
    return render(request, "appeals/appeal.html", context, status=status)


def _back(shown: Appeal) -> dict[str, str]:
    if shown.subject.startswith("application:"):
        return {"label": _("Applications"), "url": reverse("applications")}
    return {"label": _("Your grants"), "url": reverse("grants")}


def facts_of(shown: Appeal) -> dict[str, Any]:
    """Return what both sides read of an appeal."""
    events = events_about(appeal_subject(shown))
    return {
        "appeal": shown,
        "state": appeal_pill(shown.state),
        "inadmissible": INADMISSIBLE_REASONS.get(shown.inadmissible_code, ""),
        "outcome": appeal_pill(shown.outcome) if shown.outcome else None,
        "history": [showing.event_line(event) for event in events],
    }
