"""By what somebody may use a size: grants that they hold, and seats on the grants of others."""

from __future__ import annotations

from dataclasses import dataclass

from release_portal.access.grant_rules import GrantFacts
from release_portal.access.models import Grant, Seat
from release_portal.access.models.people import SeatQuerySet
from release_portal.core.actors import Actor
from release_portal.registry.models import ModelSize


@dataclass(frozen=True)
class Carrier:
    """A grant as one person may use it.

    Args:
        grant: the grant, whose quota is everybody's.
        facts: the same for the policy: through a seat it may end earlier, or be stopped for this person alone.
        seat: the seat by which it is used; None for the holder of a grant without a cohort.
    """

    grant: Grant
    facts: GrantFacts
    seat: Seat | None = None


def carriers_of(actor: Actor, size: ModelSize) -> list[Carrier]:
    """Return everything of the actor's that names the size, whatever state it is in; the queryset word for what may
    be used now is `usable_by`, and a test holds the two together.
    """
    if not actor.is_person:
        return []
    held = Grant.objects.held_by(actor.id).filter(sizes=size, cohort=None)
    own = [Carrier(grant, grant.facts()) for grant in held.prefetch_related("functions", "suspensions")]
    return own + [Carrier(seat.grant, seat.facts(seat.grant), seat) for seat in _seats(actor, size) if seat.grant]


def facts_by_person(size: ModelSize) -> dict[int, list[GrantFacts]]:
    """Return by what each account may use the size: as `carriers_of`, for all who hold a grant or sit on one."""
    held = Grant.objects.filter(sizes=size, cohort=None).prefetch_related("functions", "suspensions")
    found: dict[int, list[GrantFacts]] = {}
    for grant in held:
        found.setdefault(grant.holder_id, []).append(grant.facts())
    for seat in _last(Seat.objects.exclude(person=None), size):
        if seat.grant and seat.person_id:
            found.setdefault(seat.person_id, []).append(seat.facts(seat.grant))
    return found


def _seats(actor: Actor, size: ModelSize) -> list[Seat]:
    return _last(Seat.objects.of_person(actor.id), size)


def _last(seats: SeatQuerySet, size: ModelSize) -> list[Seat]:
    """Return one seat for each person and grant, the last that was taken: an earlier one says nothing beside it."""
    found = seats.that_ever_opened().filter(grant__sizes=size).order_by("-pk")
    loaded = found.select_related("grant__cohort").prefetch_related(
        "grant__functions", "grant__suspensions", "suspensions"
    )
    last: dict[tuple[int | None, str | None], Seat] = {}
    for seat in loaded:
        last.setdefault((seat.person_id, seat.grant_id), seat)
    return list(last.values())
