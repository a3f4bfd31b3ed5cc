"""Search in applications: filters that the database answers; a page costs the same however long the queue is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from django.db.models import Q

from release_portal.access.application_lookups import applications_to_review
from release_portal.access.application_rules import DRAFT, NEEDS_INFO, OPEN, OURS, PENDING_TERMS, STATES
from release_portal.access.models.applications import ApplicationQuerySet
from release_portal.access.review_desk import LOOKED_AT
from release_portal.access.risk_rules import HIGHEST_TIER
from release_portal.core.actors import Actor

WAITING, RESTING, ENDED = "waiting", "resting", "ended"
GROUPS: dict[str, tuple[str, ...]] = {
    WAITING: tuple(sorted(OURS)),
    RESTING: (NEEDS_INFO, PENDING_TERMS),
    ENDED: tuple(state for state in STATES if state not in OPEN),
}
CHOICES = (*GROUPS, *(state for state in STATES if state != DRAFT))
TIERS = tuple(str(tier) for tier in range(HIGHEST_TIER + 1))
AGES = ("2", "5", "10", "20", "60")


@dataclass(frozen=True)
class Search:
    """What is looked for; an empty word looks for everything.

    Args:
        applicant: part of a name or of an address.
        size: part of the name of a size.
        id: the beginning of an id.
        affiliation: part of what was named.
        state: one of CHOICES.
        tier: 0 to 3.
        age: handed in at least so many days ago.
    """

    applicant: str = ""
    size: str = ""
    id: str = ""
    affiliation: str = ""
    state: str = ""
    tier: str = ""
    age: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether nothing in particular is looked for."""
        return self == Search()


def search_of(words: Mapping[str, str]) -> Search:
    """Read a search from the words of an address; what makes no sense looks for nothing."""
    kept = {one.name: words.get(one.name, "") for one in fields(Search)}
    known = {"state": CHOICES, "tier": TIERS, "age": AGES}
    return Search(**{name: value if value in known.get(name, (value,)) else "" for name, value in kept.items()})


def applications_found(actor: Actor, search: Search, *, at: datetime) -> ApplicationQuerySet:
    """Return what a reviewer looks for: what waits by its promise, everything else by what was saved last."""
    found = applications_to_review(actor).filter(_condition(search, at)).prefetch_related(*LOOKED_AT)
    states = GROUPS.get(search.state, (search.state,) if search.state else ())
    if states:
        found = found.filter(state__in=states)
    if states and set(states) <= OURS | {NEEDS_INFO, PENDING_TERMS}:
        return found.order_by("due_at", "submitted_at", "pk")
    return found.order_by("-saved_at", "pk")


def _condition(search: Search, at: datetime) -> Q:
    name, condition = search.applicant, Q()
    if name:
        words = ("username", "email", "first_name", "last_name")
        condition &= Q(*((f"applicant__{word}__icontains", name) for word in words), _connector=Q.OR)
    if search.size:
        condition &= Q(size__name__icontains=search.size) | Q(size__slug__icontains=search.size)
    if search.id:
        condition &= Q(pk__startswith=search.id)
    if search.affiliation:
        condition &= Q(affiliation__icontains=search.affiliation)
    if search.tier:
        condition &= Q(tier=int(search.tier))
    if search.age:
        condition &= Q(submitted_at__lte=at - timedelta(days=int(search.age)))
    return condition
