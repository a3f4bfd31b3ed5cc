"""What an API token may be: its name, its scopes, its end; and what a service's token must be beyond that (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LONGEST_NAME = 80
# A program that nobody looks after any more loses its access by itself.
LONGEST_SERVICE = timedelta(days=366)
_SERVICE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True)
class Wish:
    """A token as somebody asks for it.

    Args:
        name: what its owner calls it.
        scopes: what it may be used for.
        ends_at: when it ends; None: when it is revoked.
        service: the program that acts with it; empty for a token of the person's own.
    """

    name: str
    scopes: tuple[str, ...]
    ends_at: datetime | None = None
    service: str = ""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a wish, at a field, and what would be right."""

    field: str
    reason: str
    change: str = ""


def fault_of(wish: Wish, held: Sequence[str], at: datetime) -> Fault | None:
    """Return the first thing that is wrong with a wish; None when nothing is.

    Args:
        wish: the token.
        held: every scope that its owner may give.
        at: the time of asking.
    """
    if not wish.name.strip() or len(wish.name) > LONGEST_NAME:
        return Fault("name", f"Give the token a name of 1 to {LONGEST_NAME} characters.")
    if not wish.scopes or set(wish.scopes) - set(held):
        wrong = ", ".join(sorted(set(wish.scopes) - set(held))) or "none"
        return Fault("scopes", f"Scopes: {wrong}.", "Choose from: " + ", ".join(held) + ".")
    if wish.ends_at is not None and wish.ends_at <= at:
        return Fault("ends_at", "The end lies in the past.", "Choose a later date.")
    return _service_fault(wish, at) if wish.service else None


def _service_fault(wish: Wish, at: datetime) -> Fault | None:
    if not _SERVICE.fullmatch(wish.service):
        change = "Small letters, digits and hyphens, at most 40, e.g. nightly-evaluation."
        return Fault("service", f"{wish.service[:40]!r} is no name for a service.", change)
    if wish.ends_at is None:
        return Fault("ends_at", "The token of a service must end.", f"Choose a day within {LONGEST_SERVICE.days} days.")
    if wish.ends_at > at + LONGEST_SERVICE:
        change = "Make a new one before it ends; the old one can go on until then."
        return Fault("ends_at", f"The token of a service lasts at most {LONGEST_SERVICE.days} days.", change)
    return None
