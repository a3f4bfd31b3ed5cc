"""Evidence holds: while a case is open, what it rests on is not deleted, and nobody learns of the case by that."""

from __future__ import annotations

from datetime import datetime

from release_portal.accounts.deletions import register_hold
from release_portal.accounts.models import User
from release_portal.misuse.lookups import is_under_report


def declare() -> None:
    """Declare open cases; what reporters wrote is kept apart from accounts and is no holding."""
    register_hold("cases", open_case)


def open_case(user: User, at: datetime) -> bool:
    """Whether generations under an account are evidence of an open case."""
    return is_under_report(user.pk)
