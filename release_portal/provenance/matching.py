"""What of a text stands in served generations, as fingerprints show it (pure).

exact: every word stands in one generation, in the same order, in fingerprints that overlap; at either end up to
    three words may differ, because what is stored is thinned.
near: at least LEAST_HITS different fingerprints of one generation are in the text.
none: fewer; also a short phrase over and over, which has too few different ones.
too_short: fewer than LEAST_WORDS words, where even an unchanged excerpt may share fewer.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from itertools import pairwise
from typing import Any

from release_portal.provenance.fingerprint import LEAST_WORDS, SHINGLE_WORDS, WINDOW
from release_portal.provenance.wording import Word

# A text that goes in circles has the same shingle hundreds of times; beyond this it can only be near.
MOST_REPEATS = 16


class Strength(StrEnum):
    """How a text stands to the portal's own record."""

    EXACT = "exact"
    NEAR = "near"
    NONE = "none"
    TOO_SHORT = "too_short"


@dataclass(frozen=True)
class Span:
    """Characters start..end of the text that was asked about."""

    start: int
    end: int


@dataclass(frozen=True)
class Match:
    """What the record says of a text; never whose a generation was.

    Args:
        strength: exact, near, none or too_short.
        words: words of the text.
        covered: words of it that stand in a generation.
        generations: how many distinct generations match.
        spans: where in the text, merged, in order.
    """

    strength: Strength
    words: int
    covered: int = 0
    generations: int = 0
    spans: tuple[Span, ...] = ()

    @property
    def share(self) -> float:
        """Covered words of all words, 0 to 1."""
        return self.covered / self.words if self.words else 0.0

    def to_data(self) -> dict[str, Any]:
        """Return the match as plain values."""
        return asdict(self) | {"strength": self.strength.value, "spans": [[one.start, one.end] for one in self.spans]}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Match:
        """Read a match back."""
        spans = tuple(Span(start, end) for start, end in data["spans"])
        return cls(Strength(data["strength"]), data["words"], data["covered"], data["generations"], spans)


@dataclass(frozen=True)
class Posting:
    """One stored fingerprint of a generation and the place of its shingle in it."""

    value: int
    position: int


Places = Mapping[int, Sequence[int]]  # fingerprint -> shingle numbers of the text asked about


def covered_words(places: Places, postings: Iterable[Posting]) -> frozenset[int]:
    """Return the numbers of the words that lie in a shingle which the generation also has."""
    shared = {posting.value for posting in postings}
    starts = (start for value in shared for start in places.get(value, ()))
    return frozenset(word for start in starts for word in range(start, start + SHINGLE_WORDS))


def is_exact(words: int, places: Places, postings: Iterable[Posting]) -> bool:
    """Whether all words stand in the generation, in order and without a gap, but for three at either end."""
    runs: dict[int, list[int]] = defaultdict(list)  # distance of the two places -> shingle numbers of the text
    for posting in postings:
        for start in list(places.get(posting.value, ()))[:MOST_REPEATS]:
            runs[start - posting.position].append(start)
    return any(_is_whole(words, sorted(starts)) for starts in runs.values())


def _is_whole(words: int, starts: list[int]) -> bool:
    slack = WINDOW - 1
    reaches_ends = starts[0] <= slack and starts[-1] + SHINGLE_WORDS >= words - slack
    return reaches_ends and all(later - earlier <= SHINGLE_WORDS for earlier, later in pairwise(starts))


def spans_of(words: Sequence[Word], covered: Iterable[int]) -> tuple[Span, ...]:
    """Return the covered words as characters of the text; neighbours are one span."""
    spans: list[Span] = []
    previous = -2
    for number in sorted(covered):
        if number == previous + 1:
            spans[-1] = Span(spans[-1].start, words[number].end)
        else:
            spans.append(Span(words[number].start, words[number].end))
        previous = number
    return tuple(spans)


def conclude(words: Sequence[Word], places: Places, found: Sequence[Sequence[Posting]], generations: int) -> Match:
    """Return the match of a text.

    Args:
        words: of the text.
        places: where each fingerprint of the text stands in it.
        found: the shared postings of each sample with at least LEAST_HITS different ones, the best first.
        generations: how many distinct generations these samples, and any left out of `found`, belong to.
    """
    count = len(words)
    if count < LEAST_WORDS:
        return Match(Strength.TOO_SHORT, count)
    if not found:
        return Match(Strength.NONE, count)
    covered = frozenset[int]().union(*(covered_words(places, postings) for postings in found))
    exact = any(is_exact(count, places, postings) for postings in found)
    strength = Strength.EXACT if exact else Strength.NEAR
    return Match(strength, count, len(covered), generations, spans_of(words, covered))
