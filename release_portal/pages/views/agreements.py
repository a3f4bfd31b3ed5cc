"""The agreement as everybody reads it, and as people sign it or take their consent back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from model_cards.render import render_markdown
from release_portal.access.agreements.lookups import published_versions, version_for, version_in_force
from release_portal.access.agreements.rules import Standing
from release_portal.access.agreements.services import (
    accept_in_force,
    agreement_before,
    agreement_in_force,
    agreement_numbered,
    withdraw_signature,
)
from release_portal.access.agreements.signatures import signature_of
from release_portal.access.models import AgreementVersion
from release_portal.core.clock import now
from release_portal.core.declare import public, signed_in
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.differences import changed_lines
from release_portal.pages.forms.agreements import SignForm, TakeBackForm
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.words import state_pill


@public
def agreements(request: PortalRequest) -> HttpResponse:
    """Every version that is or was in force."""
    at = now()
    newest = version_in_force(at)
    rows = [version_row(one, newest, at) for one in published_versions(at)]
    return render(request, "agreements/agreements.html", {"rows": rows})


def version_row(version: AgreementVersion, newest: AgreementVersion | None, at: datetime) -> dict[str, Any]:
    """Return a version as a row."""
    return {"version": version, "state": state_pill(version.state_at(at, newest=newest.number if newest else 0))}


@public
def agreement(request: PortalRequest, number: int) -> HttpResponse:
    """The text of one version, what changed in it, and the hash to which signatures are bound."""
    return _page(request, version_for(request.actor, number, at=now()))


@signed_in
def sign(request: PortalRequest, number: int) -> HttpResponse:
    """Accept the version in force."""
    at = now()
    shown = agreement_numbered(number, at=at)
    address = reverse("agreement", args=[shown.number])
    if request.method != "POST":
        return showing.see_other(address)
    form = SignForm(request.POST)
    try:
        signature = accept_in_force(request.actor, form.accepted(), at=at)
    except PortalError as error:
        newest = agreement_in_force(at)
        form.refuse(error, agreement_hash=newest.sha256)
        if newest.pk != shown.pk:
            form.forget("agreement")  # what was accepted is another text
        return _page(request, newest, {"sign": form}, error.status)
    messages.success(request, _("You have accepted the agreement. Your access works."))
    return showing.see_other(reverse("agreement", args=[signature.agreement.number]))


@signed_in
def withdraw(request: PortalRequest) -> HttpResponse:
    """Take the own consent back."""
    at = now()
    shown = agreement_in_force(at)
    if request.method != "POST":
        return showing.see_other(reverse("agreement", args=[shown.number]))
    form = TakeBackForm(request.POST, auto_id="id_withdraw_%s")
    try:
        form.confirm()
        withdraw_signature(request.actor, reason=form.text("reason"), at=at)
    except PortalError as error:
        form.refuse(error)
        return _page(request, shown, {"withdraw": form}, error.status)
    messages.success(request, _("Your consent is taken back, and your grants have ended."))
    return showing.see_other(reverse("grants"))


def _page(
    request: PortalRequest, shown: AgreementVersion, bound: dict[str, ServiceForm] | None = None, status: int = 200
) -> HttpResponse:
    at, older = now(), agreement_before(shown)
    newest = version_in_force(at)
    context = {
        **version_row(shown, newest, at),
        "agreement": shown,
        "html": render_markdown(shown.text),
        "in_force": newest,
        "older": older,
        "changes": changed_lines(older.text, shown.text) if older else [],
        **_own(request, shown, newest, bound or {}, at),
        "breadcrumbs": [
            {"label": _("Agreement"), "url": reverse("agreements")},
            {"label": _("Version %(number)s") % {"number": shown.number}},
        ],
    }
    return render(request, "agreements/agreement.html", context, status=status)


def _own(
    request: PortalRequest,
    shown: AgreementVersion,
    newest: AgreementVersion | None,
    bound: dict[str, ServiceForm],
    at: datetime,
) -> dict[str, Any]:
    """How the reader's own signature stands, with a form where something can be done about it."""
    if not request.actor.is_person or newest is None or shown.pk != newest.pk:
        return {}
    mine = signature_of(request.actor.account_id, at)
    has_signed = mine.signed == newest.number
    return {
        "mine": mine,
        "has_signed": has_signed,
        "is_lapsed": mine.standing is Standing.LAPSED,
        "sign_form": None if has_signed else bound.get("sign") or SignForm(initial={"agreement_hash": shown.sha256}),
        "withdraw_form": (bound.get("withdraw") or TakeBackForm(auto_id="id_withdraw_%s")) if mine.signed else None,
    }
