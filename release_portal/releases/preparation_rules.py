"""When the work around a proposal is open: before the lock, or until it is closed (pure)."""

from __future__ import annotations

from datetime import UTC, datetime

from release_portal.core.decisions import Decision, allow, not_now
from release_portal.releases.proposal_rules import COLLECTING, DRAFT, OPEN

BEFORE_LOCK = (DRAFT, COLLECTING)
WHEN = "%d %B %Y, %H:%M:%S UTC"


def may_prepare(state: str, rule: str) -> Decision:
    """Decide whether what the lock will hold can still be changed."""
    if state in BEFORE_LOCK:
        return allow("preparing", "The proposal is not locked.", rule)
    reason = f"This proposal is {state.replace('_', ' ')}."
    if state not in OPEN:
        return not_now("closed", reason, rule, "Open a new proposal.")
    return not_now("state", reason, rule, "Reopen the proposal first; its lock and votes are void then.")


def may_go_on(state: str, rule: str) -> Decision:
    """Decide whether the proposal may still lead to a move."""
    if state in OPEN:
        return allow("open", "The proposal is open.", rule)
    return not_now("closed", f"This proposal is {state.replace('_', ' ')}.", rule, "Nothing is left to do.")


def may_always(_state: str, rule: str) -> Decision:
    """Allow what is possible around closed proposals too."""
    return allow("always", "The state of the proposal does not matter.", rule)


def instant(at: datetime) -> datetime:
    """Return the moment in UTC, because two times of one zone are compared and added by the wall clock."""
    return at.astimezone(UTC)


def written(at: datetime) -> str:
    """Return a moment as people read it."""
    return instant(at).strftime(WHEN)
