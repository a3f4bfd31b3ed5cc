"""What a grant asks of its holder: terms, duties, close-out, rules of engagement; each act comes from its page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from release_portal.access.closing import close_grant, report_closing
from release_portal.access.engagements import agree_to_engagement, end_engagement, write_engagement
from release_portal.access.lookups import grant_for
from release_portal.access.models import Grant
from release_portal.access.obligations.files import duty_file_of, hand_in_with
from release_portal.access.obligations.lookups import obligation_of
from release_portal.access.obligations.services import accept_duty, give_back_duty, waive_duty
from release_portal.access.offers import answer_offer, offer_for_grant
from release_portal.accounts.looks import note_look
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.attaching import download
from release_portal.pages.forms import grant_duties as forms
from release_portal.pages.forms.attachments import upload_of
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.grant_duties import CLOSING, DUTY, ENGAGEMENT, TERMS, key_of, new_form, sizes_of
from release_portal.pages.views.grants import grant_page

Act = Callable[[Any], Any]


@signed_in
def terms(request: PortalRequest, grant_id: str, name: str) -> HttpResponse:
    """Offer other terms, accept them, decline them."""
    shown, at = grant_for(request.actor, grant_id), now()

    def act(form: Any) -> str:
        if name == "offer":
            offer_for_grant(request.actor, shown.pk, forms.terms_of(form), reason=form.text("reason"), at=at)
            return _("The terms are offered. The holder accepts or declines them.")
        digest = form.accepted() if name == "accept" else form.text("digest")
        answer_offer(request.actor, shown.pk, digest, is_accepted=name == "accept", at=at)
        return _("You have accepted the terms.") if name == "accept" else _("You have declined; nothing changes.")

    return _command(request, shown, _kind(TERMS, name), key_of("terms", name), act)


@signed_in
def obligation(request: PortalRequest, grant_id: str, pk: int, name: str) -> HttpResponse:
    """Hand a duty in, accept it, give it back, waive it for a time."""
    duty, at = obligation_of(request.actor, grant_id, pk), now()

    def act(form: Any) -> str:
        given: dict[str, Any] = {"expected_version": form.version(), "at": at}
        if name == "hand_in":
            said = {"said": form.text("said"), "link": form.text("link")}
            hand_in_with(request.actor, duty.pk, upload_of(form), **said, **given)
        elif name == "accept":
            accept_duty(request.actor, duty.pk, **given)
        elif name == "give_back":
            give_back_duty(request.actor, duty.pk, note=form.text("note"), **given)
        else:
            waive_duty(request.actor, duty.pk, reason=form.text("reason"), until=form.end(), **given)
        return {
            "hand_in": _("It is handed in. Somebody looks at it."),
            "accept": _("The duty is done."),
            "give_back": _("It is given back; the holder reads why."),
            "waive": _("The duty rests until then."),
        }[name]

    def version() -> int:
        return obligation_of(request.actor, grant_id, pk).version

    return _command(request, duty.grant, _kind(DUTY, name), key_of("duty", name, duty.pk), act, version)


@signed_in
@never_cache
def duty_file(request: PortalRequest, grant_id: str, pk: int, file_id: str) -> HttpResponse:
    """One file that was handed in with a duty, as a download."""
    duty = obligation_of(request.actor, grant_id, pk)
    found = duty_file_of(duty, file_id)
    note_look(request.actor, duty.grant.holder, "file", f"file:{found.pk}", at=now())
    return download(found)


@signed_in
def closing(request: PortalRequest, grant_id: str, name: str) -> HttpResponse:
    """Report what came of a grant, or close it."""
    shown, at = grant_for(request.actor, grant_id), now()

    def act(form: Any) -> str:
        given: dict[str, Any] = {"expected_version": form.version(), "at": at}
        if name == "close":
            close_grant(request.actor, shown.pk, **given)
            return _("The grant is closed.")
        said = {field: form.text(field) for field in ("report", "disposal", "statement")}
        report_closing(request.actor, shown.pk, **said, **given)
        return _("Your report has arrived. Somebody looks at it and closes the grant.")

    def version() -> int:
        return grant_for(request.actor, grant_id).version

    return _command(request, shown, _kind(CLOSING, name), key_of("closing", name), act, version)


@signed_in
def engagement(request: PortalRequest, grant_id: str, name: str) -> HttpResponse:
    """Write rules of engagement, agree to them, end them."""
    shown, at = grant_for(request.actor, grant_id), now()

    def act(form: Any) -> str:
        if name == "engage":
            write_engagement(request.actor, shown.pk, form.rules(), at=at)
            return _("The rules are written. A safety reviewer must agree.")
        if name == "agree":
            agree_to_engagement(request.actor, shown.pk, at=at)
            return _("The rules hold. The holder is told.")
        end_engagement(request.actor, shown.pk, reason=form.text("reason"), at=at)
        return _("The rules have ended. The holder is told.")

    more: dict[str, Any] = {"sizes": sizes_of(shown)} if name == "engage" else {}
    return _command(request, shown, _kind(ENGAGEMENT, name), key_of("engagement", name), act, **more)


def _kind(known: Mapping[str, type[ServiceForm]], name: str) -> type[ServiceForm]:
    if name not in known:
        raise NotFound("There is nothing here.", change="What can be done stands on the grant's page.")
    return known[name]


def _command(
    request: PortalRequest,
    shown: Grant,
    kind: type[ServiceForm],
    key: str,
    act: Act,
    version: Callable[[], int] | None = None,
    **more: Any,
) -> HttpResponse:
    """Do what was sent, or show the page of the grant with the refused form in its place.

    Args:
        version: reads the version that the form must name next time, where it names one.
    """
    address = reverse("grant", args=[shown.pk])
    if request.method != "POST":
        return showing.see_other(address)
    form = new_form(kind, key, request.POST, files=request.FILES, **more)
    try:
        done = act(form)
    except PortalError as error:
        if error.status in (403, 404):
            raise
        form.refuse(error, **({"expected_version": version()} if version else {}))
        return grant_page(request, grant_for(request.actor, shown.pk), {key: form}, error.status)
    messages.success(request, done)
    return showing.see_other(address)
