"""The review of a stage, and the retirement of a size: announce it, call it off."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import InvalidInput, NotFound
from release_portal.core.http import PortalRequest
from release_portal.moves.retirements import announce_retirement, call_off_retirement
from release_portal.pages import showing
from release_portal.pages.acting import Bound, carry_out, methods, visible_size
from release_portal.pages.forms import narrowing as forms
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.narrowing_words import standing_notices
from release_portal.registry.models import ModelSize
from release_portal.releases.narrowing_rules import REVIEWERS
from release_portal.releases.retirement_rules import RETIREMENT, retirement_state
from release_portal.releases.sunsets import review_stage, sunset_of

FORMS: dict[str, type[ServiceForm]] = {"announce": forms.SunsetForm, "call_off": forms.CallOffForm}


@roles(*REVIEWERS)
@methods
def review(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Review the stage of a size, so that its time begins anew; what else can be done stands on the same page."""
    size = visible_size(request, lab, name)
    if request.method != "POST":
        return _page(request, size, {})
    form = forms.ReviewForm(request.POST, auto_id="id_review_%s")

    def act() -> Any:
        return review_stage(request.actor, size, reason=form.text("reason"), at=now())

    said = _("The stage is reviewed; its time begins anew.")
    return _carried(request, size, "review", form, act, said)


@roles(*REVIEWERS)
@methods
def retirement(request: PortalRequest, lab: str, name: str, command: str) -> HttpResponse:
    """Announce when a size will be retired, or call that off."""
    size = visible_size(request, lab, name)
    if command not in FORMS:
        raise NotFound("There is nothing here.", change="What can be done stands on the review page of the size.")
    if request.method != "POST":
        return showing.see_other(showing.address("size-review", size))
    form = FORMS[command](request.POST, auto_id=f"id_{command}_%s")
    if command == "announce":
        return _carried(request, size, command, form, lambda: _announce(request, size, form), _announced())
    said = _("The retirement is called off; the size stays as it is.")
    return _carried(request, size, command, form, lambda: _call_off(request, size, form), said)


def _announced() -> str:
    return _("The retirement is announced. Everybody who holds a grant for the size is told.")


def _announce(request: PortalRequest, size: ModelSize, form: ServiceForm) -> Any:
    when = _day(form, "sunset_at")
    return announce_retirement(request.actor, size, sunset_at=when, reason=form.text("reason"), at=now())


def _call_off(request: PortalRequest, size: ModelSize, form: ServiceForm) -> Any:
    return call_off_retirement(request.actor, size, reason=form.text("reason"), at=now())


def _day(form: ServiceForm, name: str) -> datetime:
    try:
        return datetime.fromisoformat(form.text(name).strip()).replace(tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput("This is no date.", field=name, change="Write it like 2027-03-31.") from error


def _carried(
    request: PortalRequest, size: ModelSize, key: str, form: ServiceForm, act: Callable[[], Any], said: str
) -> HttpResponse:
    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _page(request, size, {key: refused}, status)

    return carry_out(request, form, act, page, said, showing.address("size", size))


def _page(request: PortalRequest, size: ModelSize, bound: Bound, status: int = 200) -> HttpResponse:
    at, standing = now(), size.standing
    offered = RETIREMENT.available(retirement_state(standing.ending, standing.sunset_at), request.actor.roles)
    lab, name = size.lab_slug, size.size_slug
    context = {
        **showing.size_frame(request.actor, size, "size-review", at=at),
        "sunset": sunset_of(size, at),
        "standing_notices": standing_notices(size, at),
        "review_form": bound.get("review") or forms.ReviewForm(auto_id="id_review_%s"),
        "retirement": {
            one.name: {
                "form": bound.get(one.name) or FORMS[one.name](auto_id=f"id_{one.name}_%s"),
                "url": reverse("size-retirement", args=[lab, name, one.name]),
            }
            for one in offered
        },
    }
    return render(request, "narrowing/review.html", context, status=status)
