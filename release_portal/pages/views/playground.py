"""The playground: a prompt, and its output beside it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import SizeAccess, size_for
from release_portal.access.policy import Action
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.errors import NotAllowed, NotFound, NotNow, PortalError
from release_portal.core.http import PortalRequest
from release_portal.generation.services import generate
from release_portal.jobs.lookups import generations_for
from release_portal.jobs.models import Job
from release_portal.pages import showing
from release_portal.pages.appealing import appeals_of_size
from release_portal.pages.errors import with_retry
from release_portal.pages.forms.playground import PlaygroundForm, fresh_key, values_of
from release_portal.pages.views.generations import stream_of


@public
@require_http_methods(["GET", "HEAD", "POST"])
def playground(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Show the form, or say by which rule it is closed."""
    at, slug = now(), f"{lab}/{name}"
    try:
        access = size_for(request.actor, slug, Action.GENERATE, at=at)
    except (NotAllowed, NotNow) as error:
        if request.method == "POST" and request.actor.is_person:
            return _refused_submission(request, slug, error, at)
        return _closed(request, slug, error, at)
    if request.method == "POST":
        return _submit(request, access, at)
    return _page(request, access, _form(request, access), at)


def _closed(request: PortalRequest, slug: str, error: PortalError, at: datetime) -> HttpResponse:
    access = size_for(request.actor, slug, Action.VIEW, at=at)
    frame = showing.size_frame(request.actor, access.size, "playground", at=at)
    context = {**frame, "decision": frame["decisions"][Action.GENERATE], "sign_in_url": _sign_in(request, error)}
    context["appeals"] = appeals_of_size(request.actor, access.size, at)
    return render(request, "playground/closed.html", context, status=error.status)


def _sign_in(request: PortalRequest, error: PortalError) -> str:
    return f"{reverse('account_login')}?next={request.path}" if error.code == "sign_in" else ""


def _refused_submission(request: PortalRequest, slug: str, error: PortalError, at: datetime) -> HttpResponse:
    """The right ended while the form was open: say why, and keep the text."""
    access = size_for(request.actor, slug, Action.VIEW, at=at)
    form = _bound(request, access)
    return _refuse(request, access, form, error, at)


def _form(request: PortalRequest, access: SizeAccess) -> PlaygroundForm:
    """An empty form, or one filled from an earlier generation of the same person."""
    initial: dict[str, Any] = {"submit_key": fresh_key()}
    earlier = _earlier(request)
    if earlier:
        initial |= values_of(earlier)
    return PlaygroundForm(initial=initial, access=access)


def _earlier(request: PortalRequest) -> Job | None:
    asked = request.GET.get("from", "")[:40]
    return generations_for(request.actor).filter(pk=asked).first() if asked else None


def _bound(request: PortalRequest, access: SizeAccess) -> PlaygroundForm:
    return PlaygroundForm(request.POST, access=access)


def _submit(request: PortalRequest, access: SizeAccess, at: datetime) -> HttpResponse:
    form = _bound(request, access)
    try:
        job = generate(
            request.actor, access.size.slug, form.values(), at=at, submit_key=form.text("submit_key")[:80] or None
        )
    except NotFound:
        raise
    except PortalError as error:
        return _refuse(request, access, form, error, at)
    if not request.htmx:
        return showing.see_other(reverse("generation", args=[job.pk]))
    return _streamed(request, access, form, job, at)


def _refuse(
    request: PortalRequest, access: SizeAccess, form: PlaygroundForm, error: PortalError, at: datetime
) -> HttpResponse:
    form.refuse(error, submit_key=fresh_key())
    if not request.htmx:
        return with_retry(_page(request, access, form, at, error.status), error, at)
    response = render(request, "playground/form.html", _context(request, access, form, at), status=error.status)
    response["HX-Retarget"], response["HX-Reswap"] = "#playground", "outerHTML"
    return with_retry(response, error, at)


def _streamed(request: PortalRequest, access: SizeAccess, form: PlaygroundForm, job: Job, at: datetime) -> HttpResponse:
    """Answer with the output only, so that whoever goes on typing is not disturbed; the key is renewed beside it."""
    form.refresh(submit_key=fresh_key())
    context = {**_context(request, access, form, at), "job": job, "stream": stream_of(job)}
    had_errors = bool(form.text("had_errors"))
    response = render(request, "playground/streamed.html", {**context, "renew_form": had_errors})
    response["HX-Push-Url"] = "false"
    return response


def _page(
    request: PortalRequest, access: SizeAccess, form: PlaygroundForm, at: datetime, status: int = 200
) -> HttpResponse:
    frame = showing.size_frame(request.actor, access.size, "playground", at=at)
    context = {**frame, **_context(request, access, form, at)}
    return render(request, "playground/playground.html", context, status=status)


def _context(request: PortalRequest, access: SizeAccess, form: PlaygroundForm, at: datetime) -> dict[str, Any]:
    quota = showing.quota_of(request.actor, access.grant, at, access.restrictions)
    recent = generations_for(request.actor).filter(size=access.size)[:5]
    return {"form": form, "quota": quota, "size": access.size, "access": access, "recent": recent, "at": at}
