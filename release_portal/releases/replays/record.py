"""What is known of a real release: openings, and dated pieces that bear on criteria (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

# A thing is there from a day on and was missing before; a finding was true all along, but known only from a day on.
THING, FINDING = "thing", "finding"
NATURES = (THING, FINDING)
CERTAINTIES = {
    "V": "read in a primary source",
    "V2": "read in a secondary source",
    "K": "general knowledge, not checked",
    "src": "stated in articles on the release",
}


@dataclass(frozen=True)
class Source:
    """Where a fact comes from.

    Args:
        text: source, in words.
        certainty: keys of CERTAINTIES.
    """

    text: str
    certainty: tuple[str, ...]

    @property
    def words(self) -> str:
        """How certain it is, in words."""
        return "; ".join(CERTAINTIES[code] for code in self.certainty)


@dataclass(frozen=True)
class Opening:
    """One opening of weights to everyone.

    Args:
        size: slug of the size.
        label: what people read, e.g. `124M`.
        opened_on: day of it, in UTC.
        source: where that is known from.
    """

    size: str
    label: str
    opened_on: date
    source: Source


@dataclass(frozen=True)
class Event:
    """Something else that happened and that people want to see between the openings."""

    on: date
    title: str
    source: Source


@dataclass(frozen=True)
class Piece:
    """One thing or finding that bears on a criterion.

    Args:
        id: name within the record.
        criterion: id of the criterion.
        nature: thing or finding.
        sizes: slugs of the sizes that it is about.
        on: since when a thing is there, or a finding is known.
        summary: sentence that says what it states.
        source: where that is known from.
        value: figure, in the unit of the criterion; None where the record gives words only.
        ci_low: lower end of its 95 % interval, where the record gives one.
        ci_high: upper end of it.
        n: how many were measured or counted, where the record says so.
        caveat: sentence on what it leaves open; empty when it answers the whole criterion.
    """

    id: str
    criterion: str
    nature: str
    sizes: tuple[str, ...]
    on: date
    summary: str
    source: Source
    value: Decimal | None = None
    ci_low: Decimal | None = None
    ci_high: Decimal | None = None
    n: int | None = None
    caveat: str = ""


@dataclass(frozen=True)
class Gap:
    """Why a criterion cannot be assessed for some sizes."""

    criterion: str
    sizes: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Record:
    """The record of one release.

    Args:
        name: slug, e.g. `gpt2-2019`.
        title: what people read.
        about: sentence that says what it holds.
        openings: in the order of time; each is larger than the one before.
        events: what else happened, in the order of time.
        pieces: what bears on criteria.
        gaps: what is known to be missing.
    """

    name: str
    title: str
    about: str
    openings: tuple[Opening, ...]
    events: tuple[Event, ...]
    pieces: tuple[Piece, ...]
    gaps: tuple[Gap, ...]

    def about_size(self, size: str) -> tuple[Piece, ...]:
        """Return every piece about a size, the earliest first."""
        return tuple(sorted((piece for piece in self.pieces if size in piece.sizes), key=lambda piece: piece.on))

    def gap(self, criterion: str, size: str) -> Gap | None:
        """Return what the record says of its own silence, if it does."""
        return next((gap for gap in self.gaps if gap.criterion == criterion and size in gap.sizes), None)

    def smaller(self, opening: Opening) -> Opening | None:
        """Return the opening of the next smaller size, or None for the smallest."""
        place = self.openings.index(opening)
        return self.openings[place - 1] if place else None
