"""How a criterion can stand, and an answer to one (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a criterion stands."""

    PASS = "pass"  # noqa: S105 - an outcome, not a password
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    NOT_RUN = "not_run"
    STALE = "stale"
    WAIVED = "waived"


@dataclass(frozen=True)
class Answer:
    """What was found out about one criterion, before waivers are looked at.

    Args:
        outcome: how it stands.
        have: what there is, in words.
        need: what is asked for, in words.
        reason: sentence that says why.
        change: sentence that says what would change it; empty for a pass.
        days_left: whole days until waiting alone may change it, or until a pass becomes stale; None: never.
    """

    outcome: Outcome
    have: str
    need: str
    reason: str
    change: str = ""
    days_left: int | None = None
