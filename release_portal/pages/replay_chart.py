"""Coordinates of the replay's timeline: one line per opening, drawn on the server (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from release_portal.releases.replays.replay import Replay, Row

WIDTH, LEFT, RIGHT = 480, 62, 452
TOP, STEP = 26, 44


@dataclass(frozen=True)
class ChartRow:
    """One opening on the chart; every coordinate in units of the drawing."""

    label: str
    y: int
    opened_x: int
    end_x: int
    is_never: bool
    is_same_day: bool
    words: str
    words_x: int
    anchor: str

    @property
    def words_y(self) -> int:
        """Where the words stand: above the line."""
        return self.y - 11


@dataclass(frozen=True)
class Chart:
    """The whole drawing."""

    title: str
    rows: tuple[ChartRow, ...]
    ticks: tuple[tuple[int, str], ...]
    axis_y: int
    width: int = WIDTH
    left: int = LEFT
    right: int = RIGHT

    @property
    def height(self) -> int:
        """Height of the drawing, with the words of the axis."""
        return self.axis_y + 28

    @property
    def tick_y(self) -> int:
        """Where the words of the axis stand."""
        return self.axis_y + 20


def chart_of(replay: Replay) -> Chart:
    """Return the drawing: the day of each opening, and the earliest day at which its criteria would have passed."""
    days = [row.opening.opened_on for row in replay.rows]
    days += [row.earliest.day for row in replay.rows if row.earliest.day]
    first, last = min(days).replace(day=1), max(days)
    rows = tuple(_row(row, TOP + STEP * place, first, last) for place, row in enumerate(replay.rows))
    return Chart(replay.finding, rows, _ticks(first, last), TOP + STEP * len(rows) - 14)


def _row(row: Row, y: int, first: date, last: date) -> ChartRow:
    opened_x = _x(row.opening.opened_on, first, last)
    earliest = row.earliest
    end_x = _x(earliest.day, first, last) if earliest.day else RIGHT
    is_right = (opened_x + end_x) // 2 > WIDTH // 2
    return ChartRow(
        label=row.opening.label,
        y=y,
        opened_x=opened_x,
        end_x=end_x,
        is_never=earliest.day is None,
        is_same_day=earliest.days == 0,
        words=_words(row),
        words_x=max(end_x, opened_x) if is_right else opened_x,
        anchor="end" if is_right else "start",
    )


def _words(row: Row) -> str:
    missing = ", ".join(row.earliest.criteria)
    if row.earliest.days is None:
        return f"never: {missing}"
    return f"{row.earliest.days} days later: {missing}" if row.earliest.days else "the same day"


def _x(day: date, first: date, last: date) -> int:
    whole = max((last - first).days, 1)
    return LEFT + (RIGHT - LEFT) * (day - first).days // whole


def _ticks(first: date, last: date) -> tuple[tuple[int, str], ...]:
    """Return the first of every third month."""
    ticks, day = [], first
    while day <= last:
        ticks.append((_x(day, first, last), f"{day:%b %Y}"))
        months = day.year * 12 + day.month - 1 + 3
        day = date(months // 12, months % 12 + 1, 1)
    return tuple(ticks)
