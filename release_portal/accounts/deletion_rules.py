"""Deletion of an account: what stands in its way, how long it waits, who may call it back (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.core.decisions import Decision, allow, not_now
from release_portal.core.lifecycle import Lifecycle, command

# Before it is asked for there is nothing: the matrix shows that as a state, no row ever stands in it.
NEW = "new"
ASKED, CALLED_BACK, DONE = "asked", "called_back", "done"
STATES = (ASKED, CALLED_BACK, DONE)
# Time to change one's mind, and for somebody whose session was taken to notice the mail.
WAIT = timedelta(days=14)
# How long what a decision rests on is kept after it: as long as it can be asked why.
KEPT = timedelta(days=3 * 365)

DELETION = Lifecycle(
    "deletion",
    (NEW, *STATES),
    (
        command("ask", "new", ASKED, "person", "password and name typed; nothing stands in its way"),
        command("call_back", "asked", CALLED_BACK, "person", "within 14 days, and longer while it is held up"),
        command(
            "carry_out",
            "asked",
            DONE,
            "system",
            "14 days later; it waits while something is in its way or is kept",
        ),
    ),
)


@dataclass(frozen=True)
class Obstacle:
    """Something that stands in the way of a deletion.

    Args:
        code: stable slug.
        reason: which one, in a sentence.
        change: what would take it away.
        path: page on which that is done; empty when there is none.
    """

    code: str
    reason: str
    change: str
    path: str = ""


def may_delete(obstacles: Sequence[Obstacle]) -> Decision:
    """Decide whether an account can be deleted as things stand."""
    rule = "deletion: nothing open"
    if not obstacles:
        return allow("nothing_open", "Nothing stands in the way.", rule)
    first, more = obstacles[0], len(obstacles) - 1
    reason = first.reason + (f" (And {more} more.)" if more else "")
    return not_now(first.code, reason, rule, first.change)


def is_due(due_at: datetime, at: datetime) -> bool:
    """Whether the time to change one's mind is over."""
    return at >= due_at


def is_over(ended_at: datetime | None, at: datetime) -> bool:
    """Whether what a decision rests on need not be kept any more."""
    return ended_at is not None and at >= ended_at + KEPT
