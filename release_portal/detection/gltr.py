"""Rank classes: how often a text's next token was among the model's first choices (pure).

After Gehrmann, Strobelt, Rush, "GLTR: Statistical Detection and Visualization of Generated Text", ACL 2019
(arXiv 1906.04043): top 10, top 100, top 1,000, the rest.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

VERSION = "gltr-1"
LIMITS = (10, 100, 1_000)
CLASSES = len(LIMITS) + 1


def rank_class(rank: int) -> int:
    """Return 1 for a rank up to 10, 2 up to 100, 3 up to 1,000, 4 beyond; raises ValueError below rank 1."""
    if rank < 1:
        raise ValueError("ranks start at 1")
    return bisect_left(LIMITS, rank) + 1


@dataclass(frozen=True)
class RankCounts:
    """How many tokens fell into each class, the likeliest class first."""

    counts: tuple[int, ...]

    @property
    def total(self) -> int:
        """Tokens that were counted."""
        return sum(self.counts)

    @property
    def fractions(self) -> tuple[float, ...]:
        """Each class's part of all tokens; zeros when none was counted."""
        return tuple(count / self.total if self.total else 0.0 for count in self.counts)


def count_ranks(ranks: Iterable[int | None]) -> RankCounts:
    """Count ranks by class; a token without anything before it has none and is left out."""
    counts = [0] * CLASSES
    for rank in ranks:
        if rank is not None:
            counts[rank_class(rank) - 1] += 1
    return RankCounts(tuple(counts))
