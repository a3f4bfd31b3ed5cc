"""When a mail that could not be sent is tried again, and when it is given up (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

WAITING, SENT, FAILED = "waiting", "sent", "failed"
STATES = (WAITING, SENT, FAILED)

# 30 s, 1 min, 2 min ... about an hour in all; then an operator looks at it.
MOST_ATTEMPTS = 8
FIRST_PAUSE = timedelta(seconds=30)


def next_attempt(attempts: int, at: datetime) -> datetime:
    """Return when to try again after so many attempts; each pause is twice the one before."""
    return at + FIRST_PAUSE * (1 << (attempts - 1))


def is_given_up(attempts: int) -> bool:
    """Whether so many attempts are enough."""
    return attempts >= MOST_ATTEMPTS
