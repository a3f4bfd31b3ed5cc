"""The words of a text as fingerprints see them, and where each stands in it (pure).

The rule: Unicode NFKC and casefold; apostrophes and invisible format characters (zero-width, soft hyphen) vanish;
every other character that is neither letter nor digit separates words. So case, white space, line breaks, quotation
marks, dashes and Markdown make no difference; other words, other spellings and look-alike letters do.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

WORD = re.compile(r"[^\W_]+")
VANISHING = frozenset("'\u2019\u2018\u02bc\uff07`")


@dataclass(frozen=True)
class Word:
    """A normalised word and the characters of the text that it came from."""

    text: str
    start: int
    end: int


def words_of(text: str) -> list[Word]:
    """Return the words of a text in order, with the characters start..end of each."""
    pieces: list[str] = []
    origins: list[tuple[int, int]] = []  # for each normalised character, the characters of the text behind it
    for normal, start, end in _clusters(text):
        pieces.append(normal)
        origins += [(start, end)] * len(normal)
    found = WORD.finditer("".join(pieces))
    return [Word(one.group(), origins[one.start()][0], origins[one.end() - 1][1]) for one in found]


def _clusters(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each letter with its marks, normalised: normalising letter by letter keeps the places known."""
    start = 0
    while start < len(text):
        end = start + 1
        while end < len(text) and _continues(text[end]):
            end += 1
        yield _normal(text[start:end]), start, end
        start = end


def _continues(character: str) -> bool:
    """Whether a character belongs to the letter before it: marks, and the later parts of a Hangul syllable."""
    if character.isascii():
        return False
    return "\u1160" <= character <= "\u11ff" or unicodedata.category(character).startswith("M")


def _normal(cluster: str) -> str:
    if cluster.isascii():
        return "" if cluster in VANISHING else cluster.lower()
    kept = "".join(one for one in cluster if one not in VANISHING and unicodedata.category(one) != "Cf")
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", kept).casefold())
    # Marks that no letter absorbed would split a word, in some spellings of it only.
    return "".join(one for one in folded if not unicodedata.category(one).startswith("M"))
