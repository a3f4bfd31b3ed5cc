"""For which questions of the kind file something is attached: the part that keeps files says it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from release_portal.access.models import Application

Keeper = Callable[[Application], Iterable[str]]
_KEEPERS: list[Keeper] = []


def register(keeper: Keeper) -> None:
    """Declare who knows the keys of the questions for which an application has a file; the newest counts."""
    _KEEPERS[:] = [keeper]


def attached_keys(application: Application) -> frozenset[str]:
    """Return the keys of the questions for which a file is attached."""
    return frozenset(key for keeper in _KEEPERS for key in keeper(application))
