"""Recalls of weights (R6): ask for them back, follow who answers; a recipient's own notice."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.core.clock import now
from release_portal.core.declare import roles, signed_in
from release_portal.core.errors import NotFound
from release_portal.core.http import PortalRequest
from release_portal.moves.recall_rules import RECALL_STAFF, decide_command
from release_portal.moves.recalls import (
    acknowledge,
    add_recipient,
    close_recall,
    notice_for,
    open_recall,
    progress_of,
    recall_for,
    recalls_of,
    recipients_of,
    state_deletion,
    state_of,
)
from release_portal.pages import showing
from release_portal.pages.acting import Bound, carry_out, methods, visible_size
from release_portal.pages.forms import narrowing as forms
from release_portal.pages.forms.base import ServiceForm
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Recall, RecallNotice
from release_portal.releases.withdrawals import was_open_weights


@roles(*RECALL_STAFF)
@methods
def recall(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Ask everybody who has the weights to delete them, and follow what they answer."""
    size = visible_size(request, lab, name)
    if request.method != "POST":
        return _recall_page(request, size, {})
    form = forms.RecallForm(request.POST)

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _recall_page(request, size, {"open": refused}, status)

    return carry_out(
        request,
        form,
        lambda: open_recall(request.actor, size, reason=form.text("reason"), at=now()),
        page,
        _("The recall is open and its recipients are told."),
        showing.address("size-recall", size),
    )


@roles(*RECALL_STAFF)
@methods
def recall_command(request: PortalRequest, pk: int, name: str) -> HttpResponse:
    """Add a recipient to a recall, or close it."""
    found = recall_for(request.actor, pk)
    size = size_for(request.actor, found.size.slug, Action.VIEW, at=now()).size
    form_classes: dict[str, type[ServiceForm]] = {"add": forms.RecipientForm, "close": forms.CloseRecallForm}
    if name not in form_classes:
        raise NotFound("There is nothing here.", change="What can be done stands on the recall's page.")
    if request.method != "POST":
        return showing.see_other(showing.address("size-recall", size))
    form = form_classes[name](request.POST, auto_id=f"id_{name}_%s")

    def act() -> Any:
        if name == "add":
            given = {field: form.text(field) for field in ("name", "contact")}
            return add_recipient(request.actor, pk, **given, at=now())
        return close_recall(request.actor, pk, note=form.text("note"), expected_version=form.version(), at=now())

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        found.refresh_from_db()
        refused.refresh(expected_version=found.version)
        return _recall_page(request, size, {name: refused}, status)

    said = _("The recipient is on the list.") if name == "add" else _("The recall is closed.")
    return carry_out(request, form, act, page, said, showing.address("size-recall", size))


def _recall_page(request: PortalRequest, size: ModelSize, bound: Bound, status: int = 200) -> HttpResponse:
    at = now()
    recalls = recalls_of(size)
    current = next((one for one in recalls if one.closed_at is None), None)
    context = {
        **showing.size_frame(request.actor, size, "size-recall", at=at),
        "rows": [{"recall": one, "progress": progress_of(one)} for one in recalls],
        "current": current,
        "recipients": [] if current else recipients_of(size),
        "cannot_recall": was_open_weights(size),
        "open_form": bound.get("open") or forms.RecallForm(),
        "add_form": bound.get("add") or forms.RecipientForm(auto_id="id_add_%s"),
        "close_form": bound.get("close") or _close_form(current),
    }
    return render(request, "narrowing/recall.html", context, status=status)


def _close_form(current: Recall | None) -> ServiceForm:
    initial = {"expected_version": current.version if current else 0}
    return forms.CloseRecallForm(initial=initial, auto_id="id_close_%s")


@signed_in
def recall_notice(request: PortalRequest, pk: int) -> HttpResponse:
    """One recipient's notice: what is asked, and what was answered."""
    return _notice_page(request, notice_for(request.actor, pk))


@signed_in
@methods
def recall_notice_command(request: PortalRequest, pk: int, name: str) -> HttpResponse:
    """Acknowledge a recall, or state that every copy is deleted."""
    found = notice_for(request.actor, pk)
    if name not in ("acknowledge", "delete"):
        raise NotFound("There is nothing here.", change="What can be done stands on the notice's page.")
    url = reverse("recall-notice", args=[pk])
    if request.method != "POST":
        return showing.see_other(url)
    form = (forms.AcknowledgeForm if name == "acknowledge" else forms.DeletionForm)(request.POST)

    def act() -> Any:
        if name == "acknowledge":
            return acknowledge(request.actor, pk, at=now())
        return state_deletion(request.actor, pk, statement=form.text("statement"), at=now())

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _notice_page(request, found, refused, status)

    said = _("Thank you. It is written down.")
    return carry_out(request, form, act, page, said, url)


def _notice_page(
    request: PortalRequest, notice: RecallNotice, form: ServiceForm | None = None, status: int = 200
) -> HttpResponse:
    state = state_of(notice.recall)
    context = {
        "notice": notice,
        "recall": notice.recall,
        "acknowledging": decide_command("acknowledge", state, request.actor, notice.account_id),
        "deleting": decide_command("delete", state, request.actor, notice.account_id),
        "acknowledge_form": forms.AcknowledgeForm(),
        "deletion_form": form if form is not None and "statement" in form.fields else forms.DeletionForm(),
        "at": now(),
    }
    return render(request, "narrowing/recall_notice.html", context, status=status)
