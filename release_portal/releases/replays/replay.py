"""Replay a release: every opening on its record, assessed by the gates of a policy of today (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from release_portal.releases.gate_policy import Criterion, Gate, ReleasePolicy
from release_portal.releases.gates import Result, assess
from release_portal.releases.outcomes import Outcome
from release_portal.releases.replays.preparation import (
    CARD_RULE,
    DATE_RULES,
    Prepared,
    prepare,
    union_gate,
    why_not_assessable,
)
from release_portal.releases.replays.record import THING, Opening, Piece, Record


@dataclass(frozen=True)
class Line:
    """How one criterion that the record can answer stands at one opening.

    Args:
        criterion: as the policy states it.
        outcome: on the whole record.
        is_met: whether it does not hold the opening.
        have: what there is, in words.
        need: what is asked for, in words; milder than the policy where a marker says so.
        reason: why the outcome is what it is.
        then: outcome on what was known on the day of the opening.
        piece: what it rests on, or what was still missing; None where dates answer it.
        is_known_later: whether that became known, or came, only after the opening.
        markers: sentences on what was read more mildly or is left open.
    """

    criterion: Criterion
    outcome: Outcome
    is_met: bool
    have: str
    need: str
    reason: str
    then: Outcome
    piece: Piece | None
    is_known_later: bool
    markers: tuple[str, ...]


@dataclass(frozen=True)
class Silence:
    """A criterion that the record cannot answer, and why."""

    criterion: Criterion
    reason: str


@dataclass(frozen=True)
class Earliest:
    """The earliest day at which every assessable criterion would have passed on what was known by then.

    Args:
        day: not before the opening; None: never on this record.
        days: days after the opening; None: never.
        criteria: ids of what was missing last, or is missing for ever; empty when nothing was missing.
        reason: sentence that says so.
    """

    day: date | None
    days: int | None
    criteria: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class Row:
    """One opening under a policy."""

    opening: Opening
    days_since_smaller: int | None
    lines: tuple[Line, ...]
    silences: tuple[Silence, ...]
    earliest: Earliest

    @property
    def held_by(self) -> tuple[Line, ...]:
        """What would have held the opening, on the whole record."""
        return tuple(line for line in self.lines if not line.is_met)

    @property
    def held_ids(self) -> tuple[str, ...]:
        """The ids of these criteria."""
        return tuple(line.criterion.id for line in self.held_by)

    @property
    def known_later(self) -> tuple[Line, ...]:
        """What rests on something that came or became known only after the opening."""
        return tuple(line for line in self.lines if line.is_known_later)

    def line(self, criterion_id: str) -> Line | None:
        """Return how that criterion stands, or None when the record cannot answer it."""
        return next((line for line in self.lines if line.criterion.id == criterion_id), None)


@dataclass(frozen=True)
class Replay:
    """A record under a policy."""

    record: Record
    policy: ReleasePolicy
    rows: tuple[Row, ...]

    @property
    def finding(self) -> str:
        """The result in one sentence."""
        held = [row for row in self.rows if row.held_by]
        total = len(self.rows)
        if not held:
            return f"Under the policy {self.policy.name} no assessable criterion holds any of the {total} openings."
        names = _joined(tuple(f"{row.opening.label} by {_joined(row.held_ids)}" for row in held), "; ", "; ")
        return f"Under the policy {self.policy.name}, {len(held)} of {total} openings would have been held: {names}."


def replay(record: Record, policy: ReleasePolicy) -> Replay:
    """Return how every opening of the record would have stood under the policy.

    Each is assessed on the whole record; what was known only later is marked, not left out.
    """
    gate = union_gate(policy)
    return Replay(record, policy, tuple(_row(record, gate, opening) for opening in record.openings))


def known_then(record: Record, gate: Gate, opening: Opening) -> dict[str, Outcome]:
    """Return the outcomes on what was known on the day of the opening, by criterion id."""
    return {result.criterion.id: result.outcome for result in _known_on(record, gate, opening, opening.opened_on)}


def _row(record: Record, gate: Gate, opening: Opening) -> Row:
    silent = {one.id: why_not_assessable(record, one, opening) for one in gate.criteria}
    whole = prepare(record, gate, opening, opening.opened_on, known_by=None)
    then = known_then(record, gate, opening)
    lines = [
        _line(record, gate, opening, whole, result, then)
        for result in assess(whole.gate, whole.facts, whole.at).results
    ]
    smaller = record.smaller(opening)
    return Row(
        opening=opening,
        days_since_smaller=(opening.opened_on - smaller.opened_on).days if smaller else None,
        lines=tuple(sorted(lines, key=lambda line: line.is_met)),  # what holds it comes first
        silences=tuple(Silence(one, silent[one.id]) for one in gate.criteria if silent[one.id]),
        earliest=_earliest(record, gate, opening),
    )


def _line(
    record: Record, gate: Gate, opening: Opening, whole: Prepared, result: Result, then: dict[str, Outcome]
) -> Line:
    name = result.criterion.id
    piece = whole.pieces.get(name) or _next_piece(record, opening, name)
    is_later = piece is not None and piece.on > opening.opened_on
    is_missing = piece is not None and name not in whole.pieces
    criterion = gate.criterion(name)
    assert criterion is not None  # the results are those of the gate
    have, reason = _in_words(result, piece, is_missing=is_missing)
    return Line(
        criterion=criterion,
        outcome=result.outcome,
        is_met=result.is_met,
        have=have,
        need=result.need,
        reason=reason,
        then=then[name],
        piece=piece,
        is_known_later=is_later,
        markers=whole.markers[name],
    )


def _in_words(result: Result, piece: Piece | None, *, is_missing: bool) -> tuple[str, str]:
    """Return have and reason: what the record states, then what the assessment says of it.

    Of a card the record knows that it was there, and nothing that a lint would count.
    """
    if piece is None:
        return result.have, result.reason
    if is_missing:
        return result.have, piece.summary
    if result.criterion.rule == CARD_RULE:
        return f"there since {piece.on}", piece.summary
    since = "there since" if piece.nature == THING else "stated on"
    have = f"{since} {piece.on}" if result.have == piece.summary else result.have
    return have, f"{piece.summary} {result.reason}"


def _next_piece(record: Record, opening: Opening, criterion_id: str) -> Piece | None:
    """Return the first thing that came after the opening and bears on the criterion."""
    pieces = (piece for piece in record.about_size(opening.size) if piece.criterion == criterion_id)
    return next((piece for piece in pieces if piece.nature == THING and piece.on > opening.opened_on), None)


def _known_on(record: Record, gate: Gate, opening: Opening, day: date) -> tuple[Result, ...]:
    prepared = prepare(record, gate, opening, day, known_by=day)
    return assess(prepared.gate, prepared.facts, prepared.at).results


def _unmet(results: Iterable[Result]) -> tuple[str, ...]:
    return tuple(result.criterion.id for result in results if not result.is_met)


def _earliest(record: Record, gate: Gate, opening: Opening) -> Earliest:
    missing_before: tuple[str, ...] = ()
    for day in _days(record, gate, opening):
        missing = _unmet(_known_on(record, gate, opening, day))
        if not missing:
            return _reached(record, opening, day, missing_before)
        missing_before = missing
    reason = f"Never on this record: {_joined(missing_before)} would not pass on any day of it."
    return Earliest(None, None, missing_before, reason)


def _reached(record: Record, opening: Opening, day: date, missing: tuple[str, ...]) -> Earliest:
    days = (day - opening.opened_on).days
    if not days:
        return Earliest(day, 0, (), "On the day of the opening nothing that the record can answer was missing.")
    came = [
        piece.summary for piece in record.about_size(opening.size) if piece.on == day and piece.criterion in missing
    ]
    why = " ".join(dict.fromkeys(came)) or "The wait since the smaller size was over."
    return Earliest(day, days, missing, f"The last missing was {_joined(missing)}. {why}")


def _days(record: Record, gate: Gate, opening: Opening) -> list[date]:
    """Return the days, from the opening on, at which an answer may change."""
    days = {opening.opened_on, *(piece.on for piece in record.about_size(opening.size))}
    smaller = record.smaller(opening)
    if smaller is not None:
        waits = [int(one.threshold) for one in gate.criteria if one.rule in DATE_RULES and one.threshold is not None]
        days |= {smaller.opened_on + timedelta(days=wait) for wait in waits}
    return sorted(day for day in days if day >= opening.opened_on)


def _joined(names: tuple[str, ...], between: str = ", ", last: str = " and ") -> str:
    return f"{between.join(names[:-1])}{last}{names[-1]}" if len(names) > 1 else "".join(names)
