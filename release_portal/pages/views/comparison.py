"""Two generations of one prompt side by side: two sizes, or one size with two settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import bounded_for, purposes_held, sizes_for
from release_portal.access.policy import Action
from release_portal.access.sampler_rules import all_in_words
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import InvalidInput, NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.generation.services import generate_together
from release_portal.jobs.lookups import generation_for
from release_portal.jobs.models import Job
from release_portal.pages import showing
from release_portal.pages.errors import with_retry
from release_portal.pages.forms.comparison import SIDES, SharedForm, SideForm, initial_of
from release_portal.pages.forms.playground import fresh_key
from release_portal.pages.forms.sampling import LABELS
from release_portal.pages.views.generations import outcome_of, stream_of


@signed_in
def compare(request: PortalRequest) -> HttpResponse:
    """Ask for both, and show both; the address of a pair stays valid for whoever made it."""
    if request.method == "POST":
        return _submit(request)
    jobs = _jobs(request)
    return _page(request, _shared(request, jobs), _sides(request, jobs), jobs)


def _jobs(request: PortalRequest) -> list[Job]:
    """The generations that the address names; somebody else's are not there."""
    return [generation_for(request.actor, request.GET[name][:40]) for name in SIDES if request.GET.get(name)]


def _shared(request: PortalRequest, jobs: Sequence[Job] = ()) -> SharedForm:
    initial = {"submit_key": fresh_key(), **({"prompt": jobs[0].prompt, "purpose": jobs[0].purpose} if jobs else {})}
    purposes = purposes_held(request.actor, Action.GENERATE, at=now())
    return SharedForm(_sent(request), initial=initial, purposes=purposes)


def _sides(request: PortalRequest, jobs: Sequence[Job] = ()) -> list[SideForm]:
    """Both sides begin alike, from the generations shown or from the size that the address names."""
    at = now()
    sizes = list(sizes_for(request.actor, Action.GENERATE, at=at))
    bounded = bounded_for(request.actor, Action.GENERATE, sizes, at=at)
    found = [initial_of(job) for job in jobs] or [{"size": request.GET.get("size", "")}]
    pairs = zip(SIDES, (found[0], found[-1]), strict=True)
    return [
        SideForm(_sent(request), prefix=side, initial=initial, sizes=sizes, bounded=bounded) for side, initial in pairs
    ]


def _sent(request: PortalRequest) -> QueryDict | None:
    return request.POST if request.method == "POST" else None


def _submit(request: PortalRequest) -> HttpResponse:
    at, shared, sides = now(), _shared(request), _sides(request)
    asked = [(side.text("size"), {**shared.values(), **side.values()}) for side in sides]
    try:
        jobs = generate_together(request.actor, asked, at=at, submit_key=shared.text("submit_key")[:60] or None)
    except PortalError as error:
        return _refused(request, shared, sides, error)
    return showing.see_other(_address(jobs))


def _refused(request: PortalRequest, shared: SharedForm, sides: list[SideForm], error: PortalError) -> HttpResponse:
    """Show the error at the side it names, or above both; nothing was submitted for either."""
    side, _dot, field = error.field.rpartition(".")
    if isinstance(error, NotFound):
        error = InvalidInput(_("Choose a model size."), field="size", change=_("Nothing was submitted."))
        field = "size"
    error.field = field
    (sides[int(side)] if side else shared).refuse(error)
    shared.refresh(submit_key=fresh_key())
    return with_retry(_page(request, shared, sides, [], error.status), error, now())


def _address(jobs: Sequence[Job]) -> str:
    pairs = {side: job.pk for side, job in zip(SIDES, jobs, strict=True)}
    return f"{reverse('compare')}?{urlencode(pairs)}"


def _page(
    request: PortalRequest, shared: SharedForm, sides: list[SideForm], jobs: Sequence[Job], status: int = 200
) -> HttpResponse:
    context = {
        "shared": shared,
        "sides": sides,
        "offers_any": sides[0].offers_any,
        "bounds": [(one.size.name, ", ".join(all_in_words(one.bounds))) for one in sides[0].bounded],
        "shown": [_shown(request, place, job) for place, job in zip(SIDES.values(), jobs, strict=False)],
        "differences": _differences(jobs),
        "permalink": request.build_absolute_uri(_address(jobs)) if len(jobs) == len(SIDES) else "",
    }
    return render(request, "generations/compare.html", context, status=status)


def _shown(request: PortalRequest, place: Any, job: Job) -> dict[str, Any]:
    return {"place": place, "job": job, "stream": stream_of(job), **outcome_of(request.actor, job)}


def _differences(jobs: Sequence[Job]) -> list[tuple[str, list[tuple[Any, Any]]]]:
    """Return the settings in which the two differ, by place; an empty list says that they have the same."""
    found = []
    for name, label in LABELS.items():
        values = [_written(getattr(job.settings, name)) for job in jobs]
        if len(set(values)) > 1:
            found.append((str(label), list(zip(SIDES.values(), values, strict=False))))
    return found


def _written(value: Any) -> str:
    """Return a setting as people read it; stop strings as what they are, with their line ends."""
    if isinstance(value, tuple):
        return ", ".join(json.dumps(text, ensure_ascii=False) for text in value) or _("none")
    return f"{value:g}" if isinstance(value, float) else str(value)
