"""Close-out: what became of copies, who looks at it, and when people are asked for it (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

from release_portal.core.decisions import Decision, allow, not_now

DISPOSALS: dict[str, str] = {
    "deleted": "Weights and outputs that had to go are deleted.",
    "nothing_kept": "Nothing was ever stored outside the portal.",
    "kept_as_agreed": "What is kept is kept as the terms allow.",
    "not_yet": "Something is not deleted yet; the statement says what and until when.",
}
# Days after the end on which the holder is asked; after the last the next application shows that nothing came.
ASKED_AFTER = (1, 30, 60, 90)
FLAGGED_AFTER = timedelta(days=max(ASKED_AFTER))
LONGEST_TEXT = 10_000


def decide_closing(*, disposal: str | None) -> Decision:
    """Decide whether a grant can be closed: its holder has reported, and nothing is left to be deleted."""
    rule = "grant: close"
    if disposal is None:
        return not_now("no_report", "Its holder has not reported yet.", rule, "The holder reports on the grant's page.")
    if disposal == "not_yet":
        reason = "Its holder says that something is not deleted yet."
        return not_now("not_deleted", reason, rule, "The holder reports again once it is deleted.")
    return allow("reported", "Its holder has reported.", rule)


def asked_day(ended_at: datetime, at: datetime) -> int | None:
    """Return which of the days was reached last; None before the first."""
    reached = [day for day in ASKED_AFTER if at >= ended_at + timedelta(days=day)]
    return max(reached) if reached else None


def is_flagged(ended_at: datetime, at: datetime) -> bool:
    """Return whether a report is missing for so long that reviewers of the next application see it."""
    return at >= ended_at + FLAGGED_AFTER
