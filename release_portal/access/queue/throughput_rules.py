"""What an applicant may expect, from what really happened: median to 90th percentile, or too few to say (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

# Fewer decisions than this say nothing, and could say something about a person.
FEWEST = 5
LOOK_BACK_DAYS = 90


@dataclass(frozen=True)
class Range:
    """How long it took, in working days.

    Args:
        middle: half of them took no longer.
        most: nine of ten took no longer.
        count: how many it rests on.
    """

    middle: float
    most: float
    count: int


def range_of(days: Sequence[float]) -> Range | None:
    """Return the range of so many durations; None when they are too few to say."""
    if len(days) < FEWEST:
        return None
    ordered = sorted(days)
    most = ordered[ceil(0.9 * len(ordered)) - 1]  # nearest rank: a duration that really happened
    return Range(round(median(ordered), 1), round(most, 1), len(ordered))
