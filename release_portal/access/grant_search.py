"""Search in grants: filters that the database answers, so that a page costs the same however many there are."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from release_portal.access.grant_rules import ACTIVE, GRANT, PAUSED
from release_portal.access.lookups import grants_for, waiting_first
from release_portal.access.models import Application, Grant
from release_portal.access.pausing import rests
from release_portal.core.actors import Actor
from release_portal.registry.models import ModelSize


@dataclass(frozen=True)
class GrantSearch:
    """What is looked for; an empty word looks for everything.

    Args:
        holder: part of a name or of an address.
        size: part of the name of a size.
        id: the beginning of an id.
        affiliation: part of what the holder named when applying.
        state: as it counts now.
    """

    holder: str = ""
    size: str = ""
    id: str = ""
    affiliation: str = ""
    state: str = ""


SEARCHED = tuple(one.name for one in fields(GrantSearch))


def grants_found(actor: Actor, search: GrantSearch, *, at: datetime) -> QuerySet[Grant]:
    """Return what the actor looks for; suspensions that wait for a second officer first, then the newest."""
    found = grants_for(actor).filter(_condition(search))
    if search.state in GRANT.states:
        found = found.filter(pk__in=_standing_as(search.state, at))
    return waiting_first(found)


def _standing_as(state: str, at: datetime) -> QuerySet[Grant]:
    """The grants in a state; of those that are active the database says which rest."""
    if state not in (ACTIVE, PAUSED):
        return Grant.objects.standing_as(state, at)
    active = Grant.objects.standing_as(ACTIVE, at)
    return active.filter(rests(at) if state == PAUSED else ~rests(at))


def _condition(search: GrantSearch) -> Q:
    condition = Q()
    if search.holder:
        words = ("username", "email", "first_name", "last_name")
        condition &= Q(*((f"holder__{word}__icontains", search.holder) for word in words), _connector=Q.OR)
    if search.size:
        named = Q(name__icontains=search.size) | Q(slug__icontains=search.size)
        condition &= Q(Exists(Grant.sizes.through.objects.filter(grant=OuterRef("pk"), modelsize__in=_sizes(named))))
    if search.id:
        condition &= Q(pk__startswith=search.id)
    if search.affiliation:
        said = Application.objects.sent().filter(affiliation__icontains=search.affiliation)
        condition &= Q(holder__in=said.values("applicant"))
    return condition


def _sizes(named: Q) -> QuerySet[ModelSize]:
    return ModelSize.objects.filter(named)
