"""Severities SEV0 to SEV4 and the clocks that they start (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.misuse.categories import category_of

SATURDAY = 5
# A report whose reporter is not sure what it is.
UNSURE = 2
# From this severity on, an accepted case blocks widening of the size that it names.
BLOCKS_WIDENING = 3


@dataclass(frozen=True)
class Severity:
    """How bad a case is, and by when what happens.

    Args:
        level: 0 to 4, 4 worst.
        anchor: sentence that helps to choose.
        first_look: time, or working days, until a person has looked.
        decision: time, or working days, until it is decided.
    """

    level: int
    anchor: str
    first_look: timedelta | int
    decision: timedelta | int

    @property
    def name(self) -> str:
        """Short name: SEV0 to SEV4."""
        return f"SEV{self.level}"


SEVERITIES: tuple[Severity, ...] = (
    Severity(0, "Nuisance: nobody in particular is harmed, and it is over.", 5, timedelta(days=30)),
    Severity(1, "Low: small loss of money, time or reputation; it can be undone.", 3, 20),
    Severity(2, "Medium: loss, fear or privacy of real people, or posted to thousands.", 1, 15),
    Severity(3, "High: serious harm, many people, or still growing.", timedelta(hours=4), timedelta(days=7)),
    Severity(
        4, "Critical: life, children, means of mass harm, or a credible threat.", timedelta(minutes=30),
        timedelta(hours=72),
    ),
)  # fmt: skip


def severity_of(level: int) -> Severity:
    """Return the severity of that level; raises LookupError for one that does not exist."""
    if not 0 <= level < len(SEVERITIES):
        raise LookupError(f"there is no SEV{level}")
    return SEVERITIES[level]


def provisional_level(category: str) -> int:
    """Return the level by which a report waits until staff have chosen its severity."""
    found = category_of(category)
    return UNSURE if found is None else found.severity


def first_look_due(received_at: datetime, level: int) -> datetime:
    """Return by when a person looks at a report."""
    return _after(received_at, severity_of(level).first_look)


def decision_due(received_at: datetime, level: int) -> datetime:
    """Return by when an accepted report is decided."""
    return _after(received_at, severity_of(level).decision)


def _after(start: datetime, span: timedelta | int) -> datetime:
    return start + span if isinstance(span, timedelta) else _working_days(start, span)


def _working_days(start: datetime, days: int) -> datetime:
    """Add days of which none is a Saturday or Sunday, in UTC."""
    while days:
        start += timedelta(days=1)
        days -= start.weekday() < SATURDAY
    return start
