"""A replay as plain rows and values, for CSV and JSON (pure)."""

from __future__ import annotations

from typing import Any

from release_portal.releases.replays.replay import Line, Replay, Row, Silence

NOT_ASSESSABLE = "not assessable"
COLUMNS = (
    "size",
    "opened_on",
    "earliest_day",
    "days_later",
    "criterion",
    "title",
    "outcome",
    "holds",
    "have",
    "need",
    "reason",
    "known_on",
    "known_later",
    "outcome_known_then",
    "markers",
    "source",
    "certainty",
)


def table_of(replay: Replay) -> list[dict[str, str]]:
    """Return one row for each opening and criterion, every value a text."""
    return [
        {name: values.get(name, "") for name in COLUMNS}
        for row in replay.rows
        for values in (*map(_line_values, row.lines), *map(_silence_values, row.silences))
        for values in [{**_opening_values(row), **values}]
    ]


def values_of(replay: Replay) -> dict[str, Any]:
    """Return the replay as values that JSON can hold."""
    policy = replay.policy
    return {
        "replay": replay.record.name,
        "policy": {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "finding": replay.finding,
        "openings": [_row_values(row) for row in replay.rows],
    }


def _row_values(row: Row) -> dict[str, Any]:
    earliest = row.earliest
    return {
        "size": row.opening.size,
        "label": row.opening.label,
        "opened_on": row.opening.opened_on.isoformat(),
        "days_since_smaller": row.days_since_smaller,
        "held_by": list(row.held_ids),
        "not_assessable": [silence.criterion.id for silence in row.silences],
        "earliest": {
            "day": earliest.day.isoformat() if earliest.day else None,
            "days_later": earliest.days,
            "criteria": list(earliest.criteria),
            "reason": earliest.reason,
        },
        "criteria": [*map(_line_values, row.lines), *map(_silence_values, row.silences)],
    }


def _opening_values(row: Row) -> dict[str, str]:
    earliest = row.earliest
    return {
        "size": row.opening.size,
        "opened_on": row.opening.opened_on.isoformat(),
        "earliest_day": earliest.day.isoformat() if earliest.day else "never",
        "days_later": "" if earliest.days is None else str(earliest.days),
    }


def _line_values(line: Line) -> dict[str, str]:
    piece = line.piece
    return {
        "criterion": line.criterion.id,
        "title": line.criterion.title,
        "outcome": line.outcome.value,
        "holds": "no" if line.is_met else "yes",
        "have": line.have,
        "need": line.need,
        "reason": line.reason,
        "known_on": piece.on.isoformat() if piece else "",
        "known_later": "yes" if line.is_known_later else "no",
        "outcome_known_then": line.then.value,
        "markers": " ".join(line.markers),
        "source": piece.source.text if piece else "",
        "certainty": piece.source.words if piece else "",
    }


def _silence_values(silence: Silence) -> dict[str, str]:
    return {
        "criterion": silence.criterion.id,
        "title": silence.criterion.title,
        "outcome": NOT_ASSESSABLE,
        "holds": "unknown",
        "reason": silence.reason,
    }
