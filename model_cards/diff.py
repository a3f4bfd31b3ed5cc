"""What changed between two versions of a card, section by section and word by word (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from model_cards.parse import Card, Section, parse
from model_cards.schema import normalised

SAME, INSERTED, DELETED = "same", "ins", "del"
MOST_LINES, MOST_WORDS = 4_000, 2_000  # beyond these a block is shown as replaced, not compared
CONTEXT = 2  # unchanged lines shown around a change
_WORDS = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True)
class Piece:
    """A run of text that stayed, came or went."""

    kind: str
    text: str


@dataclass(frozen=True)
class Line:
    """One line of a changed section; without pieces it stands for lines left out because they are unchanged."""

    pieces: tuple[Piece, ...]

    @property
    def is_gap(self) -> bool:
        """Whether it stands for lines that are not shown."""
        return not self.pieces


@dataclass(frozen=True)
class SectionChange:
    """A section that is not the same in both versions: "added", "removed" or "changed"."""

    heading: str
    kind: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class FrontChange:
    """A key of the front matter with its value before and after; "" where it was not there."""

    key: str
    before: str
    after: str


@dataclass(frozen=True)
class CardDiff:
    """Everything that differs."""

    front: tuple[FrontChange, ...]
    sections: tuple[SectionChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether a reader would see the same."""
        return not (self.front or self.sections)


def compare(old: str, new: str) -> CardDiff:
    """Return what changed from one text of a card to another; raises CardTooLong for what no card can be."""
    before, after = parse(old), parse(new)
    return CardDiff(tuple(_front(before, after)), tuple(_sections(before, after)))


def _front(before: Card, after: Card) -> Iterator[FrontChange]:
    if before.problems or after.problems:  # values may be missing, so the source is what can be compared
        if before.front_source != after.front_source:
            yield FrontChange("front matter", before.front_source, after.front_source)
        return
    old, new = _shown(before.front), _shown(after.front)
    for key in dict.fromkeys([*old, *new]):
        if old.get(key) != new.get(key):
            yield FrontChange(key, old.get(key, ""), new.get(key, ""))


def _shown(front: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): in_words(value) for key, value in front.items()}


def in_words(value: Any) -> str:
    """Return a value of the front matter as people read it."""
    if isinstance(value, list):
        return ", ".join(in_words(item) for item in value)
    if isinstance(value, dict):
        return "; ".join(f"{name}: {in_words(item)}" for name, item in value.items())
    return "" if value is None else str(value)


# --- Sections ------------------------------------------------------------------------------------------------------


def _sections(before: Card, after: Card) -> Iterator[SectionChange]:
    """Pair sections by name and place among those of the same name; the new version gives the order."""
    old, new = _named(before), _named(after)
    names = _merged(list(old), list(new))
    for name in names:
        change = _change(old.get(name), new.get(name))
        if change:
            yield change


def _named(card: Card) -> dict[tuple[str, int], Section]:
    found: dict[tuple[str, int], Section] = {}
    counts: dict[str, int] = {}
    for section in card.sections:
        name = section.key or normalised(section.heading)
        counts[name] = counts.get(name, 0) + 1
        found[name, counts[name]] = section
    return found


def _merged(old: Sequence[tuple[str, int]], new: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the new order, with what was removed behind what it stood behind."""
    merged = list(new)
    place = 0
    for name in old:
        if name in merged:
            place = merged.index(name) + 1
        else:
            merged.insert(place, name)
            place += 1
    return merged


def _change(old: Section | None, new: Section | None) -> SectionChange | None:
    if old is None and new is not None:
        return SectionChange(new.heading, "added", _whole(INSERTED, new.source))
    if new is None and old is not None:
        return SectionChange(old.heading, "removed", _whole(DELETED, old.source))
    assert old is not None
    assert new is not None
    if (old.source, _heading(old)) == (new.source, _heading(new)):
        return None
    before, after = old.source.split("\n"), new.source.split("\n")
    if _heading(old) != _heading(new):
        before, after = [_heading(old), *before], [_heading(new), *after]
    return SectionChange(new.heading, "changed", tuple(_lines(before, after)))


def _heading(section: Section) -> str:
    return f"{'#' * section.level} {section.heading}".strip()


def _whole(kind: str, source: str) -> tuple[Line, ...]:
    return tuple(Line((Piece(kind, line),)) for line in source.split("\n") if line.strip())


# --- Lines and words -----------------------------------------------------------------------------------------------


def _lines(old: list[str], new: list[str]) -> Iterator[Line]:
    blocks = list(_blocks(old, new))
    for place, (kind, before, after) in enumerate(blocks):
        if kind == "equal":
            yield from _context(after, is_first=place == 0, is_last=place == len(blocks) - 1)
        else:
            for left, right in zip_longest(before, after):
                yield from _changed(left, right)


def _blocks(old: list[str], new: list[str]) -> Iterator[tuple[str, list[str], list[str]]]:
    if max(len(old), len(new)) > MOST_LINES:
        yield "replace", old, new
        return
    for kind, a, b, c, d in SequenceMatcher(None, old, new).get_opcodes():
        yield kind, old[a:b], new[c:d]


def _context(lines: list[str], *, is_first: bool, is_last: bool) -> Iterator[Line]:
    if not is_first:
        yield from (Line((Piece(SAME, line),)) for line in lines[:CONTEXT] if line.strip())
    begin = 0 if is_first else CONTEXT
    end = len(lines) if is_last else max(len(lines) - CONTEXT, begin)
    if end > begin and any(line.strip() for line in lines[begin:end]):
        yield Line(())
    if not is_last:
        yield from (Line((Piece(SAME, line),)) for line in lines[end:] if line.strip())


def _changed(left: str | None, right: str | None) -> Iterator[Line]:
    if left is None or not left.strip():
        yield from _whole(INSERTED, right or "")
    elif right is None or not right.strip():
        yield from _whole(DELETED, left)
    else:
        yield Line(tuple(_words(left, right)))


def _words(left: str, right: str) -> Iterator[Piece]:
    old, new = _WORDS.findall(left), _WORDS.findall(right)
    if max(len(old), len(new)) > MOST_WORDS:
        yield Piece(DELETED, left)
        yield Piece(INSERTED, right)
        return
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            yield Piece(SAME, "".join(old[a:b]))
            continue
        if b > a:
            yield Piece(DELETED, "".join(old[a:b]))
        if d > c:
            yield Piece(INSERTED, "".join(new[c:d]))
