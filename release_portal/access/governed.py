"""What people have raised on a size, fetched through the size: a hidden size hides it too."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

from django.db.models import Model, Q, QuerySet

from release_portal.access.lookups import families_for, sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.errors import NotFound
from release_portal.releases.models import Freeze, Hold, Narrowing

Row = TypeVar("Row", bound=Model)


def hold_for(actor: Actor, hold_id: int, *, at: datetime) -> Hold:
    """Return a hold on a size that the actor may see."""
    return _one(of_visible_sizes(actor, Hold.objects.all(), at=at), hold_id, "The holds of a size are on its page.")


def narrowing_for(actor: Actor, narrowing_id: int, *, at: datetime) -> Narrowing:
    """Return a roll-back of a size that the actor may see."""
    found = of_visible_sizes(actor, Narrowing.objects.all(), at=at)
    return _one(found, narrowing_id, "The roll-backs of a size are listed on its move page.")


def freezes_for(actor: Actor, *, at: datetime) -> QuerySet[Freeze]:
    """Return the freezes of everything, and those of a family of which the actor may see a size."""
    families = families_for(actor, at=at).order_by().values("pk")
    return Freeze.objects.filter(Q(family=None) | Q(family__in=families)).select_related("family")


def freeze_for(actor: Actor, freeze_id: int, *, at: datetime) -> Freeze:
    """Return one freeze that the actor may see."""
    return _one(freezes_for(actor, at=at), freeze_id, "The calendar lists the freezes.")


def of_visible_sizes(actor: Actor, rows: QuerySet[Row], *, at: datetime) -> QuerySet[Row]:
    """Leave out rows that belong to a size which the actor may not see."""
    visible = sizes_for(actor, Action.VIEW, at=at).order_by().values("pk")
    return rows.filter(size__in=visible).select_related("size__standing", "size__family")


def _one(rows: QuerySet[Row], number: int, change: str) -> Row:
    found = rows.filter(pk=number).first()
    if found is None:
        raise NotFound("There is nothing here.", change=change)
    return found
