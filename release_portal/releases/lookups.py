"""Where sizes stand and what is in force on them: the one answer that services and pages share."""

from __future__ import annotations

from django.db.models import Prefetch, QuerySet

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import Restriction
from release_portal.releases.ladder import Stage, stage_of
from release_portal.releases.models import Hold, Narrowing
from release_portal.releases.narrowing_rules import roll_backs_of


def roll_backs_for(actor: Actor, size: ModelSize) -> list[tuple[Stage, Decision]]:
    """Return every lower stage, the nearest first, each with the decision on a roll-back there."""
    return [(stage_of(slug), decision) for slug, decision in roll_backs_of(actor, size.standing.stage)]


def open_narrowings(size: ModelSize) -> list[Narrowing]:
    """Return the roll-backs of a size that wait for a second person, newest first."""
    return list(Narrowing.objects.unconfirmed().filter(size=size))


def unconfirmed_narrowings() -> QuerySet[Narrowing]:
    """Return the roll-backs in force that wait for a second person, with their sizes."""
    return Narrowing.objects.unconfirmed().select_related("size")


def unconfirmed_holds() -> QuerySet[Hold]:
    """Return the restrictions in force that wait for a second officer, with their sizes."""
    return Hold.objects.unconfirmed().select_related("size")


def with_holds(sizes: QuerySet[ModelSize]) -> QuerySet[ModelSize]:
    """Load the open holds of each size with it."""
    return sizes.prefetch_related(Prefetch("holds", queryset=Hold.objects.open(), to_attr="open_holds"))


def restrictions_on(size: ModelSize) -> tuple[Restriction, ...]:
    """Return what the holds in force take away from the use of a size."""
    return tuple(hold.restriction for hold in Hold.objects.restrictions().filter(size=size))
