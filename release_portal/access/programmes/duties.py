"""How many duties of earlier grants are overdue: the part of the house that keeps duties says how to count them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from release_portal.accounts.models import User

Counter = Callable[[User, datetime], int]
_COUNTERS: dict[str, Counter] = {}


def register(kind: str, counter: Counter) -> None:
    """Declare how overdue duties of one kind are counted; the same kind again replaces it."""
    _COUNTERS[kind] = counter


def overdue_duties(user: User, at: datetime) -> int:
    """Return how many duties of this person are overdue."""
    return sum(counter(user, at) for counter in _COUNTERS.values())
