"""What the portal holds about one person: each room declares its part, so that nothing is forgotten.

A room registers its holdings in the `ready` of its app. The page and the export read the same registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from release_portal.accounts.models import User
from release_portal.accounts.services import subject_of
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import NotAllowed

MOST_ROWS = 10_000


@dataclass(frozen=True)
class Holding:
    """One kind of thing that is stored about people.

    Args:
        kind: stable key of the export.
        label: what people read.
        why: why it is kept, and for how long.
        rows: returns what is held about a person, newest first.
        columns: attributes of a row that go into the export, unsealed where they are sealed.
        kept: what a deletion of the account leaves of it, how long, and why.
        erase: deletes what may be deleted at a time, and returns how many rows; asked again every day after a
            deletion, so that what is kept for some time goes when that is over. None: `kept` says why nothing goes.
    """

    kind: str
    label: str
    why: str
    rows: Callable[[User], Iterable[Any]]
    columns: tuple[str, ...]
    kept: str = ""
    erase: Callable[[User, datetime], int] | None = None


_HOLDINGS: dict[str, Holding] = {}


def register(holding: Holding) -> None:
    """Declare a holding; the same kind again replaces it."""
    _HOLDINGS[holding.kind] = holding


def holdings() -> tuple[Holding, ...]:
    """Return every declared holding, in the order of their labels."""
    return tuple(sorted(_HOLDINGS.values(), key=lambda holding: holding.label))


def counts_for(user: User) -> list[tuple[Holding, int]]:
    """Return how many rows of each kind are held about a person."""
    return [(holding, len(_rows(holding, user))) for holding in holdings()]


@transaction.atomic
def export_own_data(actor: Actor, user: User, *, at: datetime) -> dict[str, Any]:
    """Return everything that is held about the actor's own account, and record that it was taken out."""
    if actor.scopes is not None or actor.account_id != user.pk:
        raise NotAllowed("You can export your own data only.", rule="own data", change="Sign in on the web.")
    content = {holding.kind: [_plain(row, holding) for row in _rows(holding, user)] for holding in holdings()}
    record("account.exported", actor=actor, subject=subject_of(user), at=at)
    return {"account": user.username, "exported_at": at, "holdings": content}


def _rows(holding: Holding, user: User) -> list[Any]:
    rows = []
    for row in holding.rows(user):
        rows.append(row)
        if len(rows) == MOST_ROWS:
            break
    return rows


def _plain(row: Any, holding: Holding) -> dict[str, Any]:
    return {column: getattr(row, column) for column in holding.columns}


def delete_all(rows: Callable[[User], QuerySet[Any]]) -> Callable[[User, datetime], int]:
    """Return the erasure of a holding of which nothing need be kept."""

    def erase(user: User, at: datetime) -> int:
        return rows(user).delete()[0]

    return erase


NOTHING_IS_KEPT = "All of it goes."
