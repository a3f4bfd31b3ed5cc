"""What a contender did with a workload, and what is said of several such rounds (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One round.

    Args:
        seconds: from the first arrival to the last token.
        tokens: new tokens, all requests together.
        firsts: seconds from a request's arrival to its first token, by request; empty where it is not known.
        texts: what was written, by request.
        megabytes: most memory that the contender's process has held so far.
    """

    seconds: float
    tokens: int
    firsts: tuple[float, ...]
    texts: tuple[str, ...]
    megabytes: int

    @property
    def rate(self) -> float:
        """Tokens per second."""
        return self.tokens / self.seconds

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        """Read what a contender's process wrote."""
        return cls(data["seconds"], data["tokens"], tuple(data["firsts"]), tuple(data["texts"]), data["megabytes"])


@dataclass(frozen=True)
class Spread:
    """Median, least and most of several rounds."""

    middle: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one value."""
        return cls(median(values), min(values), max(values))

    def __str__(self) -> str:
        digits = 1 if self.most >= 10 else 3
        return f"{self.middle:.{digits}f} ({self.least:.{digits}f} to {self.most:.{digits}f})"


def rates(rounds: Sequence[Outcome]) -> Spread:
    """Tokens per second over rounds."""
    return Spread.of([one.rate for one in rounds])


def first_tokens(rounds: Sequence[Outcome]) -> Spread | None:
    """Median time to the first token of each round; None where it is not known."""
    known = [median(one.firsts) for one in rounds if one.firsts]
    return Spread.of(known) if known else None


def ratio(ours: Sequence[Outcome], theirs: Sequence[Outcome]) -> Spread:
    """How many times as fast we were, round by round: both of a pair ran within the same minute."""
    return Spread.of([one.rate / other.rate for one, other in zip(ours, theirs, strict=True)])


def agreement(texts: Sequence[str], reference: Sequence[str]) -> tuple[int, float]:
    """Compare texts with a reference's.

    Returns:
        Number of equal texts, and the share of characters, over all texts, before the first difference.
    """
    pairs = list(zip(texts, reference, strict=True))
    equal = sum(text == expected for text, expected in pairs)
    alike = sum(_common(text, expected) for text, expected in pairs)
    return equal, alike / max(sum(len(expected) for _, expected in pairs), 1)


def _common(text: str, expected: str) -> int:
    for at, (one, other) in enumerate(zip(text, expected, strict=False)):
        if one != other:
            return at
    return min(len(text), len(expected))
