"""Working time: the hours of Monday to Friday in UTC. A promise in working days is counted with it (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

DAY = timedelta(days=1)
SATURDAY = 5


def add_working_time(start: datetime, span: timedelta) -> datetime:
    """Return the time at which that much working time has passed; weekends do not count."""
    at = start
    while True:
        midnight = _next_midnight(at)
        if _is_weekend(at):
            at = midnight
        elif at + span <= midnight:
            return at + span
        else:
            span -= midnight - at
            at = midnight


def subtract_working_time(end: datetime, span: timedelta) -> datetime:
    """Return the time from which that much working time passes until the end; weekends do not count."""
    at = end
    while span:
        before = _last_midnight(at)
        if _is_weekend(before):
            at = before
        elif at - span >= before:
            return at - span
        else:
            span -= at - before
            at = before
    return at


def working_time_between(start: datetime, end: datetime) -> timedelta:
    """Return the working time from one moment to a later one; zero when it is not later."""
    total, at = timedelta(), start
    while at < end:
        until = min(_next_midnight(at), end)
        total += timedelta() if _is_weekend(at) else until - at
        at = until
    return total


def working_days(count: int) -> timedelta:
    """Return so many working days as working time."""
    return count * DAY


def _is_weekend(at: datetime) -> bool:
    return at.weekday() >= SATURDAY


def _next_midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0) + DAY


def _last_midnight(at: datetime) -> datetime:
    """Return the midnight before; at midnight that of the day that has just ended."""
    midnight = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - DAY if midnight == at else midnight
