"""The retirement of a size: announced long before, called off by a person, carried out on its day (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.releases.narrowing_rules import REVIEWERS, SUNSET_NOTICE

IN_USE, ANNOUNCED, WITHDRAWN, ARCHIVED = "in_use", "announced", "withdrawn", "archived"
# How long before its day the people who work with a size are told again.
DAYS_BEFORE = (30, 3)

_MANAGERS = " ".join(REVIEWERS)
RETIREMENT = Lifecycle(
    "retirement",
    (IN_USE, ANNOUNCED, WITHDRAWN, ARCHIVED),
    (
        command("announce", "in_use announced", ANNOUNCED, _MANAGERS, f"{SUNSET_NOTICE.days} days before, or earlier"),
        command("call_off", "announced", IN_USE, _MANAGERS, "before its day, with a reason"),
        command(
            "archive",
            "announced",
            ARCHIVED,
            "system",
            "on the announced day: all use ends; card, evidence and history stay readable",
        ),
    ),
)


def retirement_state(ending: str, sunset_at: datetime | None) -> str:
    """Return where a size stands between use and its end.

    Args:
        ending: withdrawn or archived; empty while it is neither.
        sunset_at: the announced day, if one is announced.
    """
    return ending or (ANNOUNCED if sunset_at is not None else IN_USE)


def decide_command(name: str, actor: Actor, state: str) -> Decision:
    """Decide whether the actor may announce a retirement, call it off, or carry it out."""
    if actor.is_system:
        return RETIREMENT.decide(name, state, {"system"})
    return RETIREMENT.decide(name, state, frozenset() if actor.scopes is not None else actor.roles)


def is_due(sunset_at: datetime | None, tombstone: Mapping[str, Any], at: datetime) -> bool:
    """Whether the announced day has come; a proposed withdrawal is the stronger word and is waited for."""
    return sunset_at is not None and at >= sunset_at and not tombstone


def notice_due(sunset_at: datetime, at: datetime) -> int | None:
    """Return which of the notices is due, in days before the end; None before the first and after the end.

    Only the nearest counts: after an outage nobody is told "30 days" together with "3 days".
    """
    due = [days for days in DAYS_BEFORE if timedelta(0) < sunset_at - at <= timedelta(days=days)]
    return min(due, default=None)
