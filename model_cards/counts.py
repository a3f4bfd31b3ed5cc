"""Parameter counts in prose: what a text claims, states as a fact, or only mentions (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

TOLERANCE = 0.02
LEAST = 100_000  # below this, "parameters" are settings

_NUMBER = r"(?P<number>\d{1,3}(?:,\d{3})+|\d+(?:\.\d+)?)"
_UNIT = r"(?P<unit>thousand|million|billion|trillion|[kmbt])"
_BEFORE = r"(?<![\w.,$€£])"
_PARAMETERS = r"param(?:eter)?s?"
_NOT_PARAMETERS = (
    "tokens?|words?|characters?|bytes?|documents?|samples?|examples?|pairs?|steps?|users?|downloads?|pages?|rows?"
    "|images?|years?|dollars?|euros?|hours?|flops?"
)
# "15B parameters", "1.5 billion parameters", "15B-parameter model", "a 15B model"
_CLAIMED = re.compile(
    rf"{_BEFORE}{_NUMBER}[\s-]?{_UNIT}?[\s-](?:(?:trainable|total|model|learned)\s+)?"
    rf"(?:{_PARAMETERS}|(?:language )?models?)\b",
    re.IGNORECASE,
)
# "Parameters: 124,439,808", "| Parameters | 1.5B |": a statement about this size
_LABELLED = re.compile(
    rf"\b{_PARAMETERS}(?: count)?\s*[:=|]\s*(?:about|approximately|approx\.|ca\.|~)?\s*{_NUMBER}\s?{_UNIT}?\b",
    re.IGNORECASE,
)
# "335M", but neither "300B tokens" nor "180B-token corpus"
_BARE = re.compile(rf"{_BEFORE}{_NUMBER}(?P<unit>[MB])\b(?![\s-]*(?:\w+\s+)?(?:{_NOT_PARAMETERS})\b)")
_FACTORS = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_LETTERS = {"thousand": "k", "million": "m", "billion": "b", "trillion": "t"}


@dataclass(frozen=True)
class Count:
    """A number in a text.

    Args:
        words: as written.
        value: what it says.
        name: as it would be a size's short name, e.g. "1.5B".
    """

    words: str
    value: float
    name: str

    def is_near(self, *counts: int) -> bool:
        """Whether one of the counts is within the tolerance."""
        return any(abs(self.value - count) <= TOLERANCE * count for count in counts)


def claimed_counts(text: str) -> Iterator[Count]:
    """Return counts that stand before "parameters" or "model"."""
    return _found(_CLAIMED, text)


def labelled_counts(text: str) -> Iterator[Count]:
    """Return counts that stand behind the label "Parameters"."""
    return _found(_LABELLED, text)


def bare_counts(text: str) -> Iterator[Count]:
    """Return counts such as 335M that neither a label nor a noun explains."""
    explained = [match.span() for pattern in (_CLAIMED, _LABELLED) for match in pattern.finditer(text)]
    inside = {place for begin, end in explained for place in range(begin, end)}
    return (_count(match) for match in _BARE.finditer(text) if match.start() not in inside)


def _found(pattern: re.Pattern[str], text: str) -> Iterator[Count]:
    counts = (_count(match) for match in pattern.finditer(text))
    return (count for count in counts if count.value >= LEAST)


def _count(match: re.Match[str]) -> Count:
    unit = (match["unit"] or "").casefold()
    letter = _LETTERS.get(unit, unit)
    value = float(match["number"].replace(",", "")) * _FACTORS.get(letter, 1)
    return Count(" ".join(match[0].split()), value, f"{match['number']}{letter.upper()}")
