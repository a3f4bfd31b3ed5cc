"""An answer to "may I?" that carries its reason, its rule and what would change it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Refusal(StrEnum):
    """The three ways to say no."""

    MAY_NOT = "may_not"  # you may not: 403 or 404
    NOT_NOW = "not_now"  # not now, because: 409
    TOO_MUCH = "too_much"  # too much, until: 429


@dataclass(frozen=True)
class Decision:
    """Allowed or not, by which rule, why, and what would change it.

    Args:
        allowed: the answer.
        code: stable slug of the line that decided.
        reason: sentence for people.
        rule: where the rule is written down, e.g. "stage research_hosted x generate".
        change: sentence that says what would change a refusal; empty when allowed.
        refusal: which kind of no; None when allowed.
        hide: answer as if the object did not exist.
        retry_at: when a "too much" ends.
    """

    allowed: bool
    code: str
    reason: str
    rule: str
    change: str = ""
    refusal: Refusal | None = None
    hide: bool = False
    retry_at: datetime | None = None

    def __bool__(self) -> bool:
        return self.allowed


def allow(code: str, reason: str, rule: str) -> Decision:
    """Return a yes with its reason."""
    return Decision(True, code, reason, rule)


def may_not(code: str, reason: str, rule: str, change: str, *, hide: bool = False) -> Decision:
    """Return "you may not"."""
    return Decision(False, code, reason, rule, change, Refusal.MAY_NOT, hide)


def not_now(code: str, reason: str, rule: str, change: str) -> Decision:
    """Return "not now, because"."""
    return Decision(False, code, reason, rule, change, Refusal.NOT_NOW)


def too_much(code: str, reason: str, rule: str, change: str, retry_at: datetime) -> Decision:
    """Return "too much, until"."""
    return Decision(False, code, reason, rule, change, Refusal.TOO_MUCH, retry_at=retry_at)
