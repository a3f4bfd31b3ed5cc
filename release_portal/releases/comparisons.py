"""Hold figures against thresholds, and count days (pure)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from release_portal.releases.outcomes import Outcome

DAY = timedelta(days=1)
LOWER, UPPER = "lower", "upper"
COMPARATORS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "==": operator.eq,
}
WORDS = {"<=": "at most", ">=": "at least", "==": "exactly"}
# The end of an interval that is hardest to satisfy. The other end would be easier the less is known.
HARD_END = {"<=": UPPER, ">=": LOWER}

Interval = tuple[Decimal, Decimal]


def is_finite(*values: Decimal | None) -> bool:
    """Whether every value is a number: there, and neither NaN nor endless."""
    return all(value is not None and value.is_finite() for value in values)


def compare_value(comparator: str, value: Decimal, threshold: Decimal) -> Outcome:
    """Return pass or fail for a single figure."""
    return Outcome.PASS if COMPARATORS[comparator](value, threshold) else Outcome.FAIL


def compare_interval(comparator: str, side: str, interval: Interval, threshold: Decimal) -> Outcome:
    """Return pass when the named end satisfies the comparator, fail when no point does, else inconclusive."""
    low, high = interval
    satisfies = COMPARATORS[comparator]
    if satisfies(low if side == LOWER else high, threshold):
        return Outcome.PASS
    return Outcome.INCONCLUSIVE if satisfies(low, threshold) or satisfies(high, threshold) else Outcome.FAIL


def elapsed(start: datetime, end: datetime) -> timedelta:
    """Return the time between two moments in UTC; two times of one zone would be subtracted by the wall clock."""
    return end.astimezone(UTC) - start.astimezone(UTC)


def whole_days(start: datetime, at: datetime) -> int:
    """Return how many whole days of 86,400 seconds have passed; none before the start."""
    return max(0, elapsed(start, at) // DAY)


def days_until(end: datetime, at: datetime) -> int:
    """Return how many days are left, rounded up; none once the end is reached."""
    return max(0, -(elapsed(end, at) // DAY))


def plain(number: Decimal) -> str:
    """Return a figure as people write it: no exponent, no zeros at its end."""
    if not number.is_finite():
        return "no number"
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def counted(number: Decimal | int, word: str) -> str:
    """Return a number with its word, e.g. `1 day`, `3 days`."""
    text = str(number) if isinstance(number, int) else plain(number)
    return f"{text} {word}" if number == 1 else f"{text} {word}s"


def in_days(days: int) -> str:
    """Return when that is, e.g. `in 3 days`."""
    return f"in {counted(days, 'day')}"
