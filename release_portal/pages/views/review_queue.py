"""The queue of those who review: search, pages, load; several at once; figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from itertools import chain
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.application_rules import REVIEWERS
from release_portal.access.queue.batch import COMMANDS, Item, Result, carry_out_batch, preview_batch
from release_portal.access.queue.figures import figures_at
from release_portal.access.queue.load_rules import CAP
from release_portal.access.queue.loads import loads_at, next_for
from release_portal.access.queue.promises import late_counts
from release_portal.access.queue.search import (
    AGES,
    CHOICES,
    ENDED,
    GROUPS,
    RESTING,
    TIERS,
    WAITING,
    Search,
    applications_found,
    search_of,
)
from release_portal.access.review_desk import desk_of
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing, words_applications
from release_portal.pages.applying import row_of
from release_portal.pages.downloads import applications_sheet, is_wanted
from release_portal.pages.forms.batch import COMMANDS as COMMAND_WORDS
from release_portal.pages.forms.batch import BatchForm, items_of
from release_portal.pages.paging import filter_text, page_of
from release_portal.pages.reviewing import queue_row
from release_portal.pages.words import state_pill, state_word

FEW = 10


@roles(*REVIEWERS)
def queue(request: PortalRequest) -> HttpResponse:
    """What waits for a decision, the oldest promise first; or what is looked for."""
    at, actor, desk = now(), request.actor, desk_of(request.actor)
    search = search_of({one.name: filter_text(request, one.name) for one in fields(Search)})
    shown = Search(state=WAITING) if search.is_empty else search
    found = applications_found(actor, shown, at=at)
    if is_wanted(request):
        resting = applications_found(actor, Search(state=RESTING), at=at) if search.is_empty else found.none()
        return applications_sheet(chain(found, resting))
    page = page_of(request, found)
    context = {
        "page_obj": page,
        "rows": [queue_row(one, desk, at) for one in page],
        "search": search,
        "choices": _choices(search),
        "next": next_for(desk, at),
        "loads": loads_at(at),
        "cap": CAP,
        "commands": COMMAND_WORDS.items(),
        **late_counts(at),
    }
    if search.is_empty:
        for name in (RESTING, ENDED):
            few = applications_found(actor, Search(state=name), at=at)[:FEW]
            context[name] = [row_of(one, at) for one in few]
    return render(request, "applications/queue.html", context)


def _choices(search: Search) -> list[dict[str, Any]]:
    """The selects of the search form."""
    states = [(one, words_applications.GROUPS.get(one) if one in GROUPS else state_word(one)) for one in CHOICES]
    tiers = [(one, _("tier %(tier)s") % {"tier": one}) for one in TIERS]
    ages = [(one, _("%(days)s days or more") % {"days": one}) for one in AGES]
    return [
        {"name": "state", "label": _("State"), "every": _("Every state"), "options": states, "value": search.state},
        {"name": "tier", "label": _("Tier"), "every": _("Every tier"), "options": tiers, "value": search.tier},
        {"name": "age", "label": _("Waiting for"), "every": _("Any time"), "options": ages, "value": search.age},
    ]


@roles(*REVIEWERS)
def figures(request: PortalRequest) -> HttpResponse:
    """How long each step takes, how old what waits is, and who has how much in hand."""
    found = figures_at(now())
    steps = [{"label": words_applications.FIGURES[one.code], "took": one.took} for one in found.steps]
    crumbs = [{"label": _("Applications to review"), "url": reverse("review-queue")}, {"label": _("Figures")}]
    context = {"figures": found, "steps": steps, "cap": CAP, "breadcrumbs": crumbs}
    return render(request, "applications/figures.html", context)


# --- Several at once -------------------------------------------------------------------------------------------------


@roles(*REVIEWERS)
def batch(request: PortalRequest) -> HttpResponse:
    """Preview what would become of each that was chosen; then, confirmed, so many single commands."""
    if request.method != "POST":
        return showing.see_other(reverse("review-queue"))
    command = request.POST.get("command", "")
    form = BatchForm(request.POST, command=command, auto_id="id_batch_%s")
    try:
        items, order = items_of(request.POST.getlist("chosen")), form.order()
        is_confirmed = request.POST.get("act") == "confirm"
        work = carry_out_batch if is_confirmed else preview_batch
        results = work(request.actor, items, order, at=now())
    except PortalError as error:
        form.refuse(error)
        return _batch_page(request, form, command, [], [], error.status)
    if is_confirmed:
        return _done_page(request, command, results)
    if "act" in request.POST:
        _mark(form, results)
    return _batch_page(request, form, command, items, results, 200)


def _mark(form: BatchForm, results: Sequence[Result]) -> None:
    """Show what is wrong with the words themselves at their field, once."""
    wrong = {"code": "code", "explanation": "words", "reason": "words"}
    for field in {wrong[one.error.field] for one in results if one.error and one.error.field in wrong}:
        error = next(one.error for one in results if one.error and wrong.get(one.error.field) == field)
        form.add_error(field if field in form.fields else None, error.reason)


def _batch_page(
    request: PortalRequest, form: BatchForm, command: str, items: list[Item], results: list[Result], status: int
) -> HttpResponse:
    context = {
        "form": form,
        "label": COMMAND_WORDS.get(command, ""),
        "is_known": command in COMMANDS,
        "chosen": [f"{one.application_id}:{one.expected_version}" for one in items],
        "rows": [_line(one) for one in results],
        "count": sum(one.is_done for one in results),
        "breadcrumbs": _crumbs(),
    }
    return render(request, "applications/batch.html", context, status=status)


def _done_page(request: PortalRequest, command: str, results: list[Result]) -> HttpResponse:
    context = {
        "label": COMMAND_WORDS[command],
        "rows": [_line(one) for one in results],
        "count": sum(one.is_done for one in results),
        "breadcrumbs": _crumbs(),
    }
    return render(request, "applications/batch_done.html", context)


def _line(result: Result) -> dict[str, Any]:
    state = state_pill(result.application.state) if result.application else None
    return {"result": result, "application": result.application, "state": state, "error": result.error}


def _crumbs() -> list[dict[str, str]]:
    return [{"label": _("Applications to review"), "url": reverse("review-queue")}, {"label": _("Several at once")}]
