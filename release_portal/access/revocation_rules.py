"""Revoking a grant: the coded reasons, who confirms, and what an appeal gives back (pure)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from release_portal.core.decisions import Decision, allow, may_not, not_now

REVOCATION_REASONS: dict[str, str] = {
    "misuse": "The outputs were used against the agreement.",
    "outside_purpose": "The work lies outside the purpose of the grant.",
    "shared_access": "The access was passed on to somebody without a grant.",
    "false_statement": "The application said something that was not true.",
    "conditions_broken": "A condition of the grant was broken.",
}


def decide_proposal(*, has_open: bool) -> Decision:
    """Decide whether a revocation can be proposed while another one may wait."""
    rule = "grant: propose"
    if has_open:
        reason = "The revocation of this grant is proposed already."
        return not_now("proposed", reason, rule, "Another lead confirms it, or an officer lifts the suspension.")
    return allow("no_proposal", "No revocation is proposed.", rule)


def decide_confirmation(actor_id: str, proposed_by: str | None) -> Decision:
    """Decide whether this person may confirm: there is a proposal, and somebody else made it."""
    rule = "grant: revoke"
    if proposed_by is None:
        return not_now("not_proposed", "Nobody has proposed to revoke this grant.", rule, "Propose it first.")
    if actor_id == proposed_by:
        reason = "You proposed to revoke this grant; another person must confirm."
        return may_not("same_person", reason, rule, "Ask another lead.")
    return allow("second_person", "Another person than the one who proposed it.", rule)


def end_with_time_back(ends_at: datetime, stopped_at: datetime, until: datetime) -> datetime:
    """Return the end with the lost time added; it is the same rest of time even when the old end has passed."""
    return ends_at + max(until - stopped_at, timedelta())


def took_part(*ids: str, holder_id: str, more: Collection[str] = ()) -> tuple[str, ...]:
    """Return the accounts that took part in a decision; the one whom it is about is not among them."""
    return tuple(sorted({*ids, *more} - {"", holder_id}))
