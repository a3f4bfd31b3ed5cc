"""What the portal holds about one person: each room declares its part, so that nothing is forgotten.

A room registers its holdings in the `ready` of its app. The page and the export read the same registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from release_portal.accounts.models import User
from release_portal.accounts.services import subject_of
from release_portal.audit.models import AuditEvent
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
    """

    kind: str
    label: str
    why: str
    rows: Callable[[User], Iterable[Any]]
    columns: tuple[str, ...]


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


def declare_accounts() -> None:
    """Declare what this room, and the record below it, hold."""
    register(
        Holding(
            "account",
            "Account",
            "To sign you in and to write to you; kept while you have the account.",
            lambda user: [user],
            ("username", "email", "first_name", "last_name", "date_joined", "last_login"),
        )
    )
    register(
        Holding(
            "roles",
            "Roles",
            "To decide what you may do; kept while you hold them.",
            lambda user: user.role_assignments.all(),
            ("role", "given_at", "given_by"),
        )
    )
    register(
        Holding(
            "tokens",
            "API tokens",
            "To let programs act for you; the secret itself is not stored.",
            lambda user: user.api_tokens.all(),
            ("name", "prefix", "scopes", "created_at", "last_used_at", "ends_at", "revoked_at"),
        )
    )
    register(
        Holding(
            "record",
            "Your acts in the record",
            "The record of decisions is never changed or cut; your name stands beside what you did.",
            lambda user: AuditEvent.objects.filter(actor_kind="user", actor_id=str(user.pk)).order_by("-seq"),
            ("seq", "at", "kind", "subject", "reason", "data", "hash"),
        )
    )


def declare_duty() -> None:
    """Declare when a person was on duty."""
    register(
        Holding(
            "duty_shifts",
            "Times on duty",
            "To know who can act when; kept as long as you have the account.",
            lambda user: user.duty_shifts.order_by("-starts_at"),
            ("starts_at", "ends_at", "added_by"),
        )
    )
