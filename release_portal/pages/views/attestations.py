"""Those who vouch, as the applicant sees them: name somebody, name another, mail the link again, cancel, ask anew."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.application_lookups import own_application
from release_portal.access.application_rules import DRAFT
from release_portal.access.attestations.facts import latest_of
from release_portal.access.attestations.offers import offered
from release_portal.access.attestations.rules import KINDS
from release_portal.access.attestations.services import (
    ask_again,
    cancel_attestation,
    name_attester,
    resend_link,
    swap_attester,
)
from release_portal.access.models import Application, Attestation
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import NotFound, PortalError, error_of
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.attesting import KIND_WORDS, attesters_of
from release_portal.pages.forms.attestations import PersonForm
from release_portal.pages.forms.base import ServiceForm


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def attestation(request: PortalRequest, application_id: str, kind: str) -> HttpResponse:
    """Name somebody who vouches, or another person instead."""
    shown = _own(request.actor, application_id, kind)
    may = offered(request.actor, shown, kind, now())
    act = "name" if may["name"] else "swap"
    if not may[act]:
        raise error_of(may[act])
    found = latest_of(shown).get(kind)
    if request.method != "POST":
        return _page(request, shown, kind, act, _first(shown, kind, act, found))
    form = _form(shown, kind, request.POST)
    try:
        _name(request.actor, shown, kind, act, form, found)
    except PortalError as error:
        fresh = latest_of(_own(request.actor, application_id, kind)).get(kind)
        form.refuse(error, expected_version=fresh.version if fresh else 0)
        return _page(request, shown, kind, act, form, error.status)
    messages.success(request, _said(shown))
    return showing.see_other(_back_to(shown))


def _own(actor: Actor, application_id: str, kind: str) -> Application:
    if kind not in KINDS:
        raise NotFound("There is nothing here.", change="People who vouch are named on the application's page.")
    return own_application(actor, application_id)


def _form(shown: Application, kind: str, data: Any = None, **more: Any) -> PersonForm:
    return PersonForm(data, kind=kind, is_draft=shown.state == DRAFT, **more)


def _first(shown: Application, kind: str, act: str, found: Attestation | None) -> PersonForm:
    """Who stands in the draft, or nobody."""
    kept = {"name": found.name, "mail": found.mail, "domain": found.domain} if found and act == "name" else {}
    relation = {"relation": found.stated_relation} if kept and found else {}
    return _form(shown, kind, initial={**kept, **relation, "expected_version": found.version if found else 0})


def _name(actor: Actor, shown: Application, kind: str, act: str, form: PersonForm, found: Attestation | None) -> None:
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if act == "name" or found is None:
        name_attester(actor, shown.pk, kind, form.person(), **given)
    else:
        swap_attester(actor, shown.pk, found.pk, form.person(), **given)


def _said(shown: Application) -> str:
    if shown.state == DRAFT:
        return _("The person is named. They get a mail when you send the application, not before.")
    return _("The person is asked by mail.")


def _back_to(shown: Application) -> str:
    if shown.state == DRAFT:
        return f"{showing.address('apply', shown.size)}#attesters"
    return f"{reverse('application', args=[shown.pk])}#attesters"


def _page(
    request: PortalRequest, shown: Application, kind: str, act: str, form: ServiceForm, status: int = 200
) -> HttpResponse:
    row = next((one for one in attesters_of(request.actor, shown, now()) if one["kind"] == kind), None)
    context = {
        "application": shown,
        "kind_label": KIND_WORDS[kind],
        "is_referee": kind == KINDS[0],
        "is_swap": act == "swap",
        "row": row,
        "form": form,
        "back_url": _back_to(shown),
        "breadcrumbs": [
            {"label": _("Applications"), "url": reverse("applications")},
            {"label": shown.pk, "url": reverse("application", args=[shown.pk])},
            {"label": KIND_WORDS[kind]},
        ],
    }
    return render(request, "attestations/name.html", context, status=status)


# --- Commands --------------------------------------------------------------------------------------------------------

_COMMANDS: dict[str, Callable[..., Attestation]] = {
    "resend": resend_link,
    "cancel": cancel_attestation,
    "again": ask_again,
}


@signed_in
def command(request: PortalRequest, application_id: str, kind: str, name: str) -> HttpResponse:
    """Mail the link again, cancel the request, or ask the same person anew."""
    shown = _own(request.actor, application_id, kind)
    found = latest_of(shown).get(kind)
    if name not in _COMMANDS or found is None:
        raise NotFound("There is nothing here.", change="What can be done stands on the application's page.")
    if request.method == "POST":
        version = ServiceForm(request.POST).version()
        _COMMANDS[name](request.actor, shown.pk, found.pk, expected_version=version, at=now())
        messages.success(request, _done(name))
    return showing.see_other(_back_to(shown))


def _done(name: str) -> str:
    return {
        "resend": _("A new link is mailed to the same address; the one before it no longer works."),
        "cancel": _("The request is cancelled and its link is dead."),
        "again": _("The person is asked again by mail."),
    }[name]
