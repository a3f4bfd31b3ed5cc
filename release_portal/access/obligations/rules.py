"""Duties of a grant: which terms bring one, when it is due, who may do what with it, and what it rests (pure)."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from release_portal.access.extra_terms import Term, day_of
from release_portal.access.grant_rules import Pause
from release_portal.core.lifecycle import Lifecycle, command

OPEN, HANDED_IN, RETURNED, MET = "open", "handed_in", "returned", "met"
# In these states the holder acts next.
OWED = frozenset({OPEN, RETURNED})
LEADS = "access_lead partner_lead"

OBLIGATION = Lifecycle(
    "obligation",
    (OPEN, HANDED_IN, RETURNED, MET),
    (
        command("hand_in", "open returned", HANDED_IN, "holder", "a text, with a link where there is one"),
        command("accept", "handed_in", MET, LEADS, "the lead of that kind of grant, never the holder"),
        command("give_back", "handed_in", RETURNED, LEADS, "with what is missing; 14 days more before a pause"),
        command("waive", "open handed_in returned", None, LEADS, "with a reason and an end; then it counts again"),
    ),
)

# So long after its due day a duty rests the grant; it never revokes it.
PAUSE_AFTER = timedelta(days=14)
DAYS_BEFORE_DUE = (30, 7, 1)
LONGEST_WAIVER = timedelta(days=366)
LONGEST_TEXT, LONGEST_LINK = 10_000, 500
# Which terms bring a duty, and what is to be handed in.
DUTIES: dict[str, str] = {
    "Q06": "Publish the results or hand in a report on them.",
    "Q07": "Tell the lab before a publication.",
    "Q11": "Hand in findings and derived data sets.",
    "Q14": "State that outputs and copies are deleted.",
}


@dataclass(frozen=True)
class DutyFacts:
    """What the rules need to know of one duty.

    Args:
        state: as stored.
        due_at: None for a duty that waits for an occasion.
        waived_until: it does not count before.
    """

    state: str
    due_at: datetime | None
    waived_until: datetime | None = None


def due_of(term: Term, starts_at: datetime, ends_at: datetime) -> datetime | None:
    """Return when the duty of a term is due; None for one that waits for an occasion."""
    if term.code == "Q06":
        return add_months(starts_at, int(term.value))
    if term.code == "Q14" and (day := day_of(term)):
        return datetime.combine(day, time(23, 59, 59), UTC)
    return ends_at if term.code == "Q11" else None


def add_months(start: datetime, months: int) -> datetime:
    """Return the same day so many months later, or the last day of a month that is too short."""
    year, month = divmod(start.month - 1 + months, 12)
    last = monthrange(start.year + year, month + 1)[1]
    return start.replace(year=start.year + year, month=month + 1, day=min(start.day, last))


def is_overdue(duty: DutyFacts, at: datetime) -> bool:
    """Return whether the holder should have done it by then."""
    return is_owed(duty, at) and duty.due_at is not None and at >= duty.due_at


def is_owed(duty: DutyFacts, at: datetime) -> bool:
    """Return whether the holder acts next: not handed in, not waived for now."""
    is_waived = duty.waived_until is not None and at < duty.waived_until
    return duty.state in OWED and not is_waived


def rests_grant(duty: DutyFacts, at: datetime) -> bool:
    """Return whether it has been overdue for so long that the grant rests."""
    return is_owed(duty, at) and duty.due_at is not None and at >= duty.due_at + PAUSE_AFTER


def is_settled(duty: DutyFacts, at: datetime) -> bool:
    """Return whether a renewal need not wait for it: met, waived, or not due yet."""
    is_waived = duty.waived_until is not None and at < duty.waived_until
    return duty.state == MET or is_waived or duty.due_at is None or at < duty.due_at


def pause_for(what: str, due_at: datetime) -> Pause:
    """Return why the grant rests for an overdue duty."""
    reason = f"A duty of this grant was due on {due_at:%d %B %Y}: {what} The grant is paused."
    return Pause("obligation_overdue", reason, "Hand it in on the grant's page; the grant works again at once.")


def due_after_return(due_at: datetime | None, at: datetime) -> datetime | None:
    """Return when a duty is due that was given back: not before now, so that the holder has time to mend it."""
    return max(due_at, at) if due_at else None


def lead_of(kind: str) -> str:
    """Return the role that looks at the duties of this kind of grant."""
    return "partner_lead" if kind == "partner" else "access_lead"


def relations(who: Collection[str], kind: str) -> frozenset[str]:
    """Return the relations that count: of the two leads only the one of this kind of grant."""
    return frozenset(who) - ({*LEADS.split()} - {lead_of(kind)})
