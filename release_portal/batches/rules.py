"""The states of a batch, what becomes of a line that was refused or ended, and how many may run (pure)."""

from __future__ import annotations

from datetime import timedelta

from inference.contract import FinishReason
from release_portal.access.quota import Left, Limits
from release_portal.core.errors import PortalError, TooMuch, Unavailable
from release_portal.core.lifecycle import Lifecycle, command

VALIDATING, FAILED, IN_PROGRESS, FINALIZING = "validating", "failed", "in_progress", "finalizing"
COMPLETED, EXPIRED, CANCELLING, CANCELLED = "completed", "expired", "cancelling", "cancelled"
STATES = (VALIDATING, FAILED, IN_PROGRESS, FINALIZING, COMPLETED, EXPIRED, CANCELLING, CANCELLED)
OPEN = frozenset({IN_PROGRESS, CANCELLING})

BATCH = Lifecycle(
    "batch",
    STATES,
    (
        command("reject", "validating", FAILED, "system", "a line of its file is wrong; nothing runs"),
        command("begin", "validating", IN_PROGRESS, "system", "every line can be read"),
        command("cancel", "in_progress", CANCELLING, "owner", "lines that run are stopped; what is done is kept"),
        command("finalize", "in_progress", FINALIZING, "system", "no line is open any more"),
        command("complete", "finalizing", COMPLETED, "system", "its results can be read"),
        command("expire", "finalizing", EXPIRED, "system", "its time ran out; what is done can be read"),
        command("close", "cancelling", CANCELLED, "system", "no line is open any more"),
    ),
)

WAITING, RUNNING, DONE, REFUSED = "waiting", "running", "done", "failed"
LINE_STATES = (WAITING, RUNNING, DONE, REFUSED)
OPEN_LINES = frozenset({WAITING, RUNNING})

WINDOW, LASTS = "24h", timedelta(hours=24)
MOST_FILES, MOST_OPEN = 50, 10  # of one account
# Lines of all batches together: far below what the workers let wait, so that nobody who waits is turned away.
MOST_IN_ALL = 64
# Ends after which the same line may have better luck. Of the first kind nothing was charged, and it is no fault of the
# line: it waits as long as the batch does.
UNLUCKY = frozenset({FinishReason.OVERLOADED, FinishReason.BROKER_LOST})
FAULTY = frozenset({FinishReason.WORKER_LOST, FinishReason.LEASE_LOST, FinishReason.TOO_LATE})
MOST_FAULTS = 3
# Refusals that pass by themselves within the minute; a day's quota does not.
PASSING = frozenset({"overloaded", "concurrent", "requests_per_minute"})


def may_cancel(state: str) -> bool:
    """Whether its owner may cancel a batch in this state."""
    return bool(BATCH.decide("cancel", state, {"owner"}))


def is_worth_waiting(error: PortalError, running: int) -> bool:
    """Whether a refused line should wait instead of failing.

    Args:
        error: what the submission said.
        running: lines of the batch that run now; what they have set aside and do not use comes back to the quota.
    """
    if isinstance(error, Unavailable):
        return True
    return isinstance(error, TooMuch) and (error.code in PASSING or running > 0)


def is_tried_again(reason: FinishReason, faults: int) -> bool:
    """Whether a line whose job ended like this goes back to those that wait.

    Args:
        faults: how often it ended by a fault before.
    """
    return reason in UNLUCKY or (reason in FAULTY and faults + 1 < MOST_FAULTS)


def share_of(most: int, batches: int) -> int:
    """Return how many lines of one batch may run at once while so many batches are open."""
    return max(1, min(most, MOST_IN_ALL // max(1, batches)))


def room_for(share: int, running: int, limits: Limits, left: Left) -> int:
    """Return how many more lines of a batch may be submitted now.

    A batch leaves its own holder one of the places at once and a quarter of the minute's requests, so that whoever
    asks beside it is not turned away; who has one place only may use it for either.
    """
    places = left.at_once - (1 if limits.concurrent > 1 else 0)
    requests = left.requests - limits.requests_per_minute // 4
    return max(0, min(share - running, places, requests))
