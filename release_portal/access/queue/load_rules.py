"""Who has room for another application: claims and decisions owed, and a cap (pure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

# So many applications one person is expected to look at; whoever holds more is offered nothing new.
CAP = 12


@dataclass(frozen=True)
class Load:
    """What one reviewer has in hand.

    Args:
        id: of the account.
        name: for people.
        claimed: applications that they look at now.
        owed: others that are expected of them.
    """

    id: str
    name: str
    claimed: int = 0
    owed: int = 0

    @property
    def total(self) -> int:
        """Everything in hand."""
        return self.claimed + self.owed

    @property
    def has_room(self) -> bool:
        """Whether something may be added."""
        return self.total < CAP


def fewest(loads: Iterable[Load], avoid: Collection[str] = ()) -> Load | None:
    """Return who should look at the next one: the fewest in hand; somebody to be avoided only when nobody else can."""
    free = [one for one in loads if one.has_room]
    return min(free, key=lambda one: (one.id in avoid, one.total, one.id.zfill(20)), default=None)
