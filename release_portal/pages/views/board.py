"""The board: where every size stands, now or at an earlier time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from release_portal.access.lookups import families_for, sizes_for
from release_portal.access.policy import Action
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.as_of import looking_back
from release_portal.pages.marks import Marks, marks_of
from release_portal.pages.paging import filter_text, page_of
from release_portal.registry.models import ModelSize
from release_portal.releases.freezes import frozen_families
from release_portal.releases.history import board_as_of
from release_portal.releases.ladder import LADDER, Stage
from release_portal.releases.lookups import with_holds

ROWS = 50


@dataclass(frozen=True)
class Place:
    """Where one size stands at one time; no stage before the record knows of it."""

    size: ModelSize
    stage: Stage | None
    since: datetime | None
    marks: Marks

    @property
    def url(self) -> str:
        """The size's page."""
        return showing.address("size", self.size)

    @property
    def ladder_row(self) -> dict[str, Any]:
        """The size as a row of the ladder picture."""
        return {**showing.ladder_row(self.size, ()), "stage": self.stage, "marks": self.marks}


@public
def board(request: PortalRequest) -> HttpResponse:
    """Sizes and stages as a ladder, with what holds each; the same as a table."""
    at = now()
    visible, family = sizes_for(request.actor, Action.VIEW, at=at), filter_text(request, "family")
    form, asked, status = looking_back(request, at)
    sizes = visible.filter(family__slug=family) if family else visible
    page = page_of(request, with_holds(sizes).order_by("family__ordinal", "ordinal", "pk"), ROWS)
    shown = list(page)
    places = _places_now(shown, at) if asked is None else _places_then(shown, asked)
    context = {
        "groups": _by_family(places),
        "stages": LADDER,
        "page_obj": page,
        "families": families_for(request.actor, at=at),
        "family": family,
        "form": form,
        "asked": asked,
    }
    return render(request, "governance/board.html", context, status=status)


def _places_now(sizes: Sequence[ModelSize], at: datetime) -> list[Place]:
    frozen = frozen_families(at)
    return [
        Place(
            size,
            size.standing.place,
            size.standing.since,
            marks_of(
                [hold.level for hold in size.open_holds],  # type: ignore[attr-defined]
                is_frozen=bool(frozen & {None, size.family_id}),
                is_sunset=size.standing.sunset_at is not None,
                ending=size.standing.ending,
            ),
        )
        for size in sizes
    ]


def _places_then(sizes: Sequence[ModelSize], asked: datetime) -> list[Place]:
    """Read every place from the record."""
    frozen, record = frozen_families(asked), board_as_of(sizes, asked)
    found = []
    for size in sizes:
        then = record[size.pk]
        is_frozen = bool(frozen & {None, size.family_id})
        marks = marks_of(
            then.holds.values(),
            is_frozen=is_frozen and bool(then.stage),
            is_sunset=then.is_sunset,
            ending=then.ending,
        )
        found.append(Place(size, then.place, then.since, marks))
    return found


def _by_family(places: Iterable[Place]) -> list[dict[str, Any]]:
    groups: dict[int, dict[str, Any]] = {}
    for place in places:
        group = groups.setdefault(place.size.family_id, {"family": place.size.family, "places": [], "rows": []})
        group["places"].append(place)
        if place.stage is not None:
            group["rows"].append(place.ladder_row)
    return list(groups.values())
