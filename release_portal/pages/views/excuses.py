"""Why is it not further? Every reason for every size, exactly as the engine states it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.policy import Action
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.governance_words import OWNERS, outcome_order, owner_order, owner_word
from release_portal.pages.owners_chart import chart_of
from release_portal.pages.paging import filter_text, page_of
from release_portal.pages.sheets import sheet
from release_portal.registry.models import ModelSize
from release_portal.releases.excuses import ExcuseLine, Excuses, excuses_for

CSV = "csv"
ROWS = 25
COLUMNS = (
    "size", "stage", "target", "code", "outcome", "title", "have", "need", "owner", "days_left", "reason", "change",
)  # fmt: skip


@public
def excuses(request: PortalRequest) -> HttpResponse:
    """Every reason for every size, sorted by who must act."""
    at, owner = now(), filter_text(request, "owner")
    sizes = list(sizes_for(request.actor, Action.VIEW, at=at).order_by("family__ordinal", "ordinal", "pk"))
    every = list(excuses_for(sizes, at).values())
    found = _of_owner(every, owner)
    if request.GET.get("format") == CSV:
        return sheet("excuses.csv", COLUMNS, _csv_rows(found))
    page = page_of(request, found, ROWS)
    context = {
        "page_obj": page,
        "entries": [_entry(one) for one in page],
        "chart": chart_of(line.owner for one in every for line in one.lines),
        "owners": [{"slug": slug, "label": owner_word(slug)} for slug in OWNERS],
        "owner": owner,
        "free": [one for one in every if not one.lines and one.target],
    }
    return render(request, "governance/excuses.html", context)


@public
def size_excuses(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Every reason why one size is not further."""
    at = now()
    shown = size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=at).size
    found = excuses_for([shown], at)[shown.pk]
    if request.GET.get("format") == CSV:
        return sheet(f"{shown.lab_slug}-{shown.size_slug}-excuses.csv", COLUMNS, _csv_rows([found]))
    frame = showing.size_frame(request.actor, shown, "size-excuses", at=at)
    return render(request, "governance/size_excuses.html", {**frame, "entry": _entry(found)})


def _of_owner(every: Sequence[Excuses], owner: str) -> list[Excuses]:
    """Return the sizes that anything keeps back, with the lines of one owner, or with all."""
    kept = [
        Excuses(one.size, one.target, tuple(line for line in one.lines if owner in ("", line.owner)), one.proposal)
        for one in every
    ]
    return [one for one in kept if one.lines]


def _entry(one: Excuses) -> dict[str, Any]:
    return {
        "size": one.size,
        "stage": one.size.standing.place,
        "target": one.target,
        "proposal": one.proposal,
        "url": showing.address("size-excuses", one.size),
        "rows": [{"line": line, "owner": owner_word(line.owner)} for line in _sorted(one.lines)],
    }


def _sorted(lines: Iterable[ExcuseLine]) -> list[ExcuseLine]:
    return sorted(lines, key=lambda line: (owner_order(line.owner), outcome_order(line.outcome), line.code))


def _csv_rows(found: Iterable[Excuses]) -> Iterator[tuple[Any, ...]]:
    for one in found:
        for line in _sorted(one.lines):
            yield (
                *_where(one.size, one),
                *(line.code, line.outcome, line.title, line.have, line.need, line.owner),
                *("" if line.days_left is None else line.days_left, line.reason, line.change),
            )


def _where(size: ModelSize, one: Excuses) -> tuple[str, str, str]:
    return size.slug, size.standing.stage, one.target.slug if one.target else ""
