"""The desk of the agreement: write the next version, approve somebody else's, take one back before its day."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from model_cards.render import render_markdown
from release_portal.access.agreements.drafts import (
    Wording,
    decide_draft,
    retire_draft,
    retire_version,
    save_draft,
    schedule_draft,
    write_draft,
)
from release_portal.access.agreements.lookups import draft_for, drafts_for, version_for, version_in_force, versions_for
from release_portal.access.agreements.rules import EDITORS, decide_version
from release_portal.access.models import AgreementDraft, AgreementVersion
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.differences import changed_lines
from release_portal.pages.forms.agreements import DraftForm, RetireForm, ScheduleForm, initial_of
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.times import written
from release_portal.pages.paging import page_of
from release_portal.pages.views.agreements import version_row
from release_portal.pages.words import state_pill

# What a new draft offers as its day: long enough for another person to read it.
DAYS_AHEAD = timedelta(days=14)
FORMS: dict[str, type[ServiceForm]] = {"schedule": ScheduleForm, "retire": RetireForm}


@roles(*EDITORS)
def desk(request: PortalRequest) -> HttpResponse:
    """Drafts that wait, and every version."""
    return _desk(request)


def _desk(request: PortalRequest, refused: dict[int, ServiceForm] | None = None, status: int = 200) -> HttpResponse:
    at = now()
    page = page_of(request, versions_for(request.actor, at=at).defer("text"))
    newest = version_in_force(at)
    drafts = drafts_for(request.actor).filter(agreement=None)
    context = {
        "page_obj": page,
        "rows": [_version_row(request, one, newest, refused or {}, at) for one in page],
        "drafts": [{"draft": one, "state": state_pill(one.state)} for one in drafts],
    }
    return render(request, "agreements/desk.html", context, status=status)


def _version_row(
    request: PortalRequest,
    version: AgreementVersion,
    newest: AgreementVersion | None,
    refused: dict[int, ServiceForm],
    at: datetime,
) -> dict[str, Any]:
    row = version_row(version, newest, at)
    form = refused.get(version.number) or RetireForm(auto_id=f"id_retire_{version.number}_%s")
    may = decide_version(request.actor, "retire", row["state"]["slug"])
    return {**row, "retire_form": form if may or version.number in refused else None}


@roles(*EDITORS)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: PortalRequest) -> HttpResponse:
    """Begin a draft from the version in force."""
    at = now()
    newest = version_in_force(at)
    if request.method != "POST":
        wording = Wording(newest.text if newest else "", at + DAYS_AHEAD, True, "")
        form = DraftForm(initial=initial_of(wording, written(wording.effective_from), 0))
        return _draft_page(request, None, {"save": form})
    form = DraftForm(request.POST)
    try:
        if "preview" in request.POST:
            return _draft_page(request, None, {"save": form})
        made = write_draft(request.actor, form.said(), at=at)
    except PortalError as error:
        form.refuse(error)
        return _draft_page(request, None, {"save": form}, error.status)
    messages.success(request, _("The draft is kept. Another person must approve it."))
    return showing.see_other(reverse("agreement-draft", args=[made.pk]))


@roles(*EDITORS)
@require_http_methods(["GET", "HEAD", "POST"])
def draft(request: PortalRequest, pk: int) -> HttpResponse:
    """One draft: what it would change, and a form to change it while nobody has approved it."""
    shown = draft_for(request.actor, pk)
    if request.method != "POST":
        return _draft_page(request, shown)
    form = DraftForm(request.POST)
    try:
        if "preview" in request.POST:
            return _draft_page(request, shown, {"save": form})
        save_draft(request.actor, shown.pk, form.said(), expected_version=form.version(), at=now())
    except PortalError as error:
        fresh = draft_for(request.actor, pk)
        form.refuse(error, expected_version=fresh.version)
        return _draft_page(request, fresh, {"save": form}, error.status)
    messages.success(request, _("The draft is kept."))
    return showing.see_other(reverse("agreement-draft", args=[shown.pk]))


@roles(*EDITORS)
def draft_command(request: PortalRequest, pk: int, name: str) -> HttpResponse:
    """Approve a draft, or drop it."""
    shown = draft_for(request.actor, pk)
    if name not in FORMS:
        raise NotFound("There is nothing here.", change="What can be done stands on the draft's page.")
    if request.method != "POST":
        return showing.see_other(reverse("agreement-draft", args=[shown.pk]))
    form = FORMS[name](request.POST, auto_id=f"id_{name}_%s")
    try:
        _carry_out(request, shown, name, form)
    except PortalError as error:
        fresh = draft_for(request.actor, pk)
        form.refuse(error, expected_version=fresh.version)
        return _draft_page(request, fresh, {name: form}, error.status)
    return showing.see_other(reverse("agreement-desk"))


def _carry_out(request: PortalRequest, shown: AgreementDraft, name: str, form: ServiceForm) -> None:
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if name == "retire":
        retire_draft(request.actor, shown.pk, reason=form.text("reason"), **given)
        messages.success(request, _("The draft is dropped."))
        return
    made = schedule_draft(request.actor, shown.pk, **given)
    messages.success(request, _("Version %(number)s is settled and scheduled.") % {"number": made.number})


@roles(*EDITORS)
def retire(request: PortalRequest, number: int) -> HttpResponse:
    """Take back a version before its day."""
    at = now()
    shown = version_for(request.actor, number, at=at)
    if request.method != "POST":
        return showing.see_other(reverse("agreement-desk"))
    form = RetireForm(request.POST, auto_id=f"id_retire_{number}_%s")
    try:
        retire_version(request.actor, shown.number, reason=form.text("reason"), at=at)
    except PortalError as error:
        form.refuse(error)
        return _desk(request, {number: form}, error.status)
    messages.success(request, _("Version %(number)s is taken back.") % {"number": number})
    return showing.see_other(reverse("agreement-desk"))


def _draft_page(
    request: PortalRequest, shown: AgreementDraft | None, bound: dict[str, ServiceForm] | None = None, status: int = 200
) -> HttpResponse:
    given = bound or {}
    form = given.get("save") or (DraftForm(initial=_initial(shown)) if shown else DraftForm())
    text = str(form["wording"].value() or "")
    newest = version_in_force(now())
    is_open = shown is None or bool(decide_draft(request.actor, shown, "save"))
    context = {
        "draft": shown,
        "state": state_pill(shown.state) if shown else None,
        "form": form if is_open else None,
        "html": render_markdown(text),
        "in_force": newest,
        "changes": changed_lines(newest.text if newest else "", text),
        "commands": [_command(request, shown, name, given.get(name)) for name in FORMS] if shown and is_open else [],
        "breadcrumbs": [
            {"label": _("Agreement desk"), "url": reverse("agreement-desk")},
            {"label": _("Draft %(number)s") % {"number": shown.pk} if shown else _("New draft")},
        ],
    }
    return render(request, "agreements/draft.html", context, status=status)


def _initial(shown: AgreementDraft) -> dict[str, Any]:
    wording = Wording(shown.text, shown.effective_from, shown.is_material, shown.reason)
    return initial_of(wording, written(shown.effective_from), shown.version)


def _command(request: PortalRequest, shown: AgreementDraft, name: str, bound: ServiceForm | None) -> dict[str, Any]:
    decision = decide_draft(request.actor, shown, name)
    form = bound or FORMS[name](initial={"expected_version": shown.version}, auto_id=f"id_{name}_%s")
    return {"name": name, "form": form, "decision": None if decision or bound else decision}
