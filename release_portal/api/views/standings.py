"""The board, and where a size stood at another time: told by the events of the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.api.documented import documented
from release_portal.api.examples import AS_OF, BOARD
from release_portal.api.paging import page_of, page_schema
from release_portal.api.serializers.standings import BoardQuery, BoardRow, MomentQuery, StandingThenFacts
from release_portal.api.views.catalogue import CatalogueView, matching
from release_portal.api.views.policies import TAG
from release_portal.releases.history import StandingThen, board_as_of, standing_as_of
from release_portal.releases.hold_rules import PLAIN


class Board(CatalogueView):
    """Every size with its stage and what holds it."""

    query = BoardQuery

    @documented("read_board", page_schema("Board", BoardRow), tag=TAG, query=BoardQuery, example=BOARD)
    def get(self, request: Request) -> Response:
        """List where the sizes that you may see stand now, or stood at another time."""
        load: Callable[[list[Any]], list[Any]] = rows_now
        if as_of := self.asked_for.get("as_of"):
            load = partial(rows_then, at=as_of)
        return page_of(matching(self.visible(), self.asked_for), BoardRow, self.asked_for, load=load)


class AsOf(CatalogueView):
    """A size at another time."""

    query = MomentQuery

    @documented("read_standing", StandingThenFacts, tag=TAG, query=MomentQuery, errors=(404,), example=AS_OF)
    def get(self, request: Request, lab: str, name: str) -> Response:
        """Return where a size stood at a time, with the holds and proposals that were open."""
        slug, at = self.size(lab, name).slug, self.asked_for.get("at", self.at)
        then = standing_as_of(slug, at)
        proposals = [{"id": number, "state": state} for number, state in then.proposals.items()]
        facts = {**_then(slug, then), "at": at, "proposals": proposals, "events": then.events}
        return Response(StandingThenFacts(facts).data)


def rows_now(sizes: list[Any]) -> list[dict[str, Any]]:
    """Return the lines of the board as the sizes stand."""
    return [
        {
            "size": size.slug,
            "stage": size.standing.stage,
            "granted": size.standing.granted,
            "since": size.standing.since,
            "ending": size.standing.ending,
            **_held({hold.pk: hold.level for hold in size.open_holds}),
        }
        for size in sizes
    ]


def rows_then(sizes: list[Any], *, at: datetime) -> list[dict[str, Any]]:
    """Return the lines of the board as the sizes stood."""
    found = board_as_of(sizes, at)
    return [{**_then(size.slug, found[size.pk]), "granted": None} for size in sizes]


def _then(slug: str, then: StandingThen) -> dict[str, Any]:
    stage = then.stage or None  # before its first event the record knows no stage
    return {"size": slug, "stage": stage, "since": then.since, "ending": then.ending, **_held(then.holds)}


def _held(holds: Mapping[int, str]) -> dict[str, Any]:
    """Return open holds by number and level, and the levels that take use away."""
    return {
        "holds": [{"id": number, "level": level} for number, level in sorted(holds.items())],
        "restrictions": sorted(set(holds.values()) - {PLAIN}),
    }
