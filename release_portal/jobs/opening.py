"""How a size is open to somebody for a request: by what, under which epochs, and on whose quota."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.cache.backends.locmem import LocMemCache

from release_portal.access.lookups import SizeAccess, size_for
from release_portal.access.policy import Action
from release_portal.access.quota import Limits
from release_portal.core.actors import Actor
from release_portal.epochs.services import grant_key, numbers_of, seat_key, size_key
from release_portal.jobs.quotas import limits_of, quota_holder

# Which epochs a permit rested on the last time, by who asked for what: a guess, so that one look is enough.
_guesses = LocMemCache("epoch-keys", {"OPTIONS": {"MAX_ENTRIES": 10_000}})


@dataclass(frozen=True)
class Opened:
    """A size as it is open to an actor.

    Args:
        numbers: the epochs, read before the decision: what is taken back after that leaves an old number in the permit,
            and no worker serves it.
        holder: whose quota it counts on.
    """

    access: SizeAccess
    numbers: dict[str, int]
    holder: str
    limits: Limits

    @property
    def epochs(self) -> dict[str, int]:
        """The epochs that a permit for it names."""
        return {key: self.numbers[key] for key in _epoch_keys(self.access)}


def open_size(actor: Actor, slug: str, action: Action, *, at: datetime) -> Opened:
    """Read the epochs, then decide; where something else carries it than was guessed, read and decide once more.

    Raises:
        PortalError: what the decision says.
    """
    guess = f"{actor.kind}:{actor.id}:{slug}:{action.value}"
    numbers = _numbers_if_known(_guesses.get(guess, ()))
    while True:
        access = size_for(actor, slug, action, at=at)
        keys = _epoch_keys(access)
        if numbers.keys() >= set(keys):
            holder = quota_holder(actor, access.grant)
            return Opened(access, numbers, holder, limits_of(access.grant, access.restrictions))
        numbers = numbers_of(keys)
        _guesses.set(guess, keys, None)


def _numbers_if_known(keys: list[str] | tuple[()]) -> dict[str, int]:
    try:
        return numbers_of(keys) if keys else {}
    except LookupError:
        return {}


def _epoch_keys(access: SizeAccess) -> list[str]:
    """What the permit rests on: the size, the grant, and the seat of whoever uses somebody else's."""
    grant = [grant_key(access.grant.pk)] if access.grant else []
    return [size_key(access.size.slug), *grant, *([seat_key(access.seat.pk)] if access.seat else [])]
