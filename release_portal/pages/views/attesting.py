"""The page behind the link by which somebody vouches: without an account, without a script."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache

from release_portal.access.attestations.answers import (
    confirm_attestation,
    decline_attestation,
    dispute_attestation,
    open_attestation,
)
from release_portal.access.attestations.facts import asked_of, digest_now
from release_portal.access.attestations.lookups import attestation_by_link
from release_portal.access.attestations.rules import ATTESTATION, KEPT, LIFE
from release_portal.access.attestations.statements import sentences
from release_portal.access.models import Attestation
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.errors import InvalidInput, NotNow, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.attesting import asked_facts, outcome_words
from release_portal.pages.forms.attestations import DeclineForm, ReplyForm
from release_portal.pages.forms.base import ServiceForm


@public
@never_cache
def by_link(request: PortalRequest, token: str) -> HttpResponse:
    """Read what is asked; looking changes nothing. Every dead link gets one answer."""
    found = attestation_by_link(request.actor, token, now())
    if request.method != "POST":
        return _page(request, found)
    act = str(request.POST.get("act", ""))
    if act == "open":
        open_attestation(request.actor, token, at=now())
        return showing.see_other(request.path)
    return _answer(request, found, act, token)


def _answer(request: PortalRequest, found: Attestation, act: str, token: str) -> HttpResponse:
    forms: dict[str, ServiceForm] = {
        "confirm": _reply_form(found, request.POST),
        "decline": _decline_form(request.POST),
    }
    try:
        done = _carry_out(request, act, token, forms)
    except (InvalidInput, NotNow) as error:
        if act not in forms:
            raise
        fresh = attestation_by_link(request.actor, token, now())
        return _refused(request, fresh, act, forms[act], error)
    return render(request, "attestations/answered.html", {"words": outcome_words(done.state), "done": done})


def _carry_out(request: PortalRequest, act: str, token: str, forms: dict[str, ServiceForm]) -> Attestation:
    actor, at = request.actor, now()
    if act == "confirm":
        form = forms[act]
        assert isinstance(form, ReplyForm)
        return confirm_attestation(actor, token, form.reply(), seen=form.text("seen"), at=at)
    if act == "decline":
        return decline_attestation(actor, token, words=forms[act].text("words"), at=at)
    if act == "dispute":
        return dispute_attestation(actor, token, at=at)
    raise InvalidInput("The form does not say what you answer.", change="Use one of the buttons.")


def _refused(
    request: PortalRequest, found: Attestation, act: str, form: ServiceForm, error: PortalError
) -> HttpResponse:
    """Keep what was written; what changed is shown, and must be confirmed as it stands now."""
    if act == "confirm":
        form.refuse(error, seen=digest_now(found))
    else:
        form.refuse(error)
    return _page(request, found, {act: form}, error.status)


def _reply_form(found: Attestation, data: Any = None) -> ReplyForm:
    asked = sentences(found.kind, asked_of(found))
    return ReplyForm(
        data, kind=found.kind, sentences=asked, initial={"seen": digest_now(found)}, auto_id="id_confirm_%s"
    )


def _decline_form(data: Any = None) -> DeclineForm:
    return DeclineForm(data, auto_id="id_decline_%s")


def _page(
    request: PortalRequest, found: Attestation, bound: dict[str, ServiceForm] | None = None, status: int = 200
) -> HttpResponse:
    given = bound or {}
    context = {
        **asked_facts(found),
        "may": [one.name for one in ATTESTATION.available(found.state_at(now()), {"link_holder"})],
        "confirm_form": given.get("confirm") or _reply_form(found),
        "decline_form": given.get("decline") or _decline_form(),
        "bound": next(iter(given.values()), None),
        "months": LIFE.days // 30,
        "kept_days": KEPT.days,
    }
    response = render(request, "attestations/link.html", context, status=status)
    response["X-Robots-Tag"] = "noindex, nofollow"
    return response
