"""The catalogue: families, sizes with what you may do with them, their timelines and cards, and the ladder."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC
from typing import Any

from django.db.models import Q, QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from model_cards.lookups import card_version
from release_portal.access.lookups import decisions_for, size_for, sizes_for
from release_portal.access.policy import POLICY_VERSION, READ_SCOPE, TABLE, Action
from release_portal.access.timelines import Entry, timeline_of
from release_portal.api.base import ApiView
from release_portal.api.documented import documented
from release_portal.api.paging import PageQuery, page_of, page_schema
from release_portal.api.serializers.catalogue import (
    CardFacts,
    CardQuery,
    FamilyRow,
    Ladder,
    SizeFacts,
    SizeQuery,
    SizeRow,
    TimelineRow,
)
from release_portal.api.shown import Shown
from release_portal.audit.models import AuditEvent
from release_portal.registry.models import HistoricEvent, ModelFamily, ModelSize
from release_portal.releases.ladder import LADDER, Stage
from release_portal.releases.lookups import with_holds

TAG = "catalogue"


class CatalogueView(ApiView):
    """What the catalogue's addresses share: the scope, and how a size is fetched."""

    scopes: tuple[str, ...] = (READ_SCOPE,)

    def size(self, lab: str, name: str, action: Action = Action.VIEW) -> ModelSize:
        """Return a size for an action, or raise what the policy says."""
        return size_for(self.actor, f"{lab}/{name}", action, at=self.at).size

    def visible(self) -> QuerySet[ModelSize]:
        """Return every size that the asker may know of."""
        return with_holds(sizes_for(self.actor, Action.VIEW, at=self.at)).order_by("family__ordinal", "ordinal")


class Families(CatalogueView):
    """Model families."""

    query = PageQuery

    @documented("list_families", page_schema("Family", FamilyRow), tag=TAG, query=PageQuery)
    def get(self, request: Request) -> Response:
        """List the families of which you may see a size."""
        return page_of(families_of(self.visible()), FamilyRow, self.asked_for)


class Sizes(CatalogueView):
    """Model sizes."""

    query = SizeQuery

    @documented("list_sizes", page_schema("Size", SizeRow), tag=TAG, query=SizeQuery)
    def get(self, request: Request) -> Response:
        """List the sizes that you may see, by family, the smallest first."""
        return page_of(matching(self.visible(), self.asked_for), SizeRow, self.asked_for)


class Size(CatalogueView):
    """One model size."""

    @documented("read_size", SizeFacts, tag=TAG, errors=(404,))
    def get(self, request: Request, lab: str, name: str) -> Response:
        """Return what is known of a size, where it stands, and what you may do with it."""
        size = self.size(lab, name)
        decisions = [
            {"action": action.value, **vars(decision)}
            for action, decision in decisions_for(self.actor, size, at=self.at).items()
        ]
        return Response(SizeFacts(Shown(size, open_holds=list(size.holds.open()), decisions=decisions)).data)


class Timeline(CatalogueView):
    """How a size came to stand where it stands."""

    query = PageQuery

    @documented("list_timeline", page_schema("Timeline", TimelineRow), tag=TAG, query=PageQuery, errors=(404,))
    def get(self, request: Request, lab: str, name: str) -> Response:
        """List the public events of a size and the dated facts about it, newest first."""
        timeline = timeline_of(self.actor, self.size(lab, name), at=self.at)
        return page_of([_entry(one) for one in timeline], TimelineRow, self.asked_for)


class Card(CatalogueView):
    """The model card of a size."""

    query = CardQuery

    @documented("read_card", CardFacts, tag=TAG, query=CardQuery, errors=(404,))
    def get(self, request: Request, lab: str, name: str) -> Response:
        """Return the newest version of a card, or an older one."""
        size = self.size(lab, name, Action.READ_CARD)
        card = card_version(size, str(self.asked_for.get("version", "")))
        versions = list(size.card_versions.values_list("number", flat=True))
        return Response(CardFacts(Shown(card, versions=versions)).data)


class Stages(CatalogueView):
    """The ladder of release stages."""

    @documented("read_stages", Ladder, tag=TAG)
    def get(self, request: Request) -> Response:
        """Return every stage with the table that decides who may do what with a size that stands there."""
        ladder = {"policy_version": POLICY_VERSION, "stages": [_stage(stage) for stage in LADDER]}
        return Response(Ladder(ladder).data)


def matching(sizes: QuerySet[ModelSize], asked: dict[str, Any]) -> QuerySet[ModelSize]:
    """Narrow sizes to those that are asked for."""
    if q := asked.get("q"):
        named = Q(name__icontains=q) | Q(slug__icontains=q) | Q(family__name__icontains=q)
        sizes = sizes.filter(named | Q(aliases__name__icontains=q)).distinct()
    if stage := asked.get("stage"):
        sizes = sizes.filter(standing__stage=stage)
    return sizes.filter(family__slug=asked["family"]) if asked.get("family") else sizes


def families_of(sizes: Iterable[ModelSize]) -> list[Shown]:
    """Return the families of sizes, each with these sizes' slugs."""
    families: dict[ModelFamily, list[str]] = {}
    for size in sizes:
        families.setdefault(size.family, []).append(size.slug)
    return [Shown(family, visible=slugs) for family, slugs in families.items()]


def _entry(entry: Entry) -> dict[str, Any]:
    return _event(entry) if isinstance(entry, AuditEvent) else _fact(entry)


def _event(event: AuditEvent) -> dict[str, Any]:
    return {
        "kind": "event",
        "day": event.at.astimezone(UTC).date(),
        "at": event.at,
        "title": event.label,
        "reason": event.reason,
        "by": event.actor_name,
        "stage_from": event.data.get("from"),
        "stage_to": event.data.get("to"),
        "source": "",
        "is_verified": True,
    }


def _fact(fact: HistoricEvent) -> dict[str, Any]:
    return {
        "kind": "fact",
        "day": fact.happened_on,
        "at": None,
        "title": fact.text,
        "reason": "",
        "by": "",
        "stage_from": None,
        "stage_to": None,
        "source": fact.source,
        "is_verified": fact.is_verified,
    }


def _stage(stage: Stage) -> dict[str, Any]:
    policy = [{"action": action.value, "audience": audience.value} for action, audience in TABLE[stage.slug].items()]
    return {**vars(stage), "code": stage.code, "policy": policy}
