"""Evidence holds: while a case is open, what it rests on is not deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from release_portal.accounts.deletion_rules import Obstacle
from release_portal.accounts.deletions import register_obstacles
from release_portal.accounts.models import User
from release_portal.misuse.lookups import is_under_report


def declare() -> None:
    """Declare open cases; what reporters wrote is kept apart from accounts and is no holding."""
    register_obstacles("cases", open_cases)


def open_cases(user: User, at: datetime) -> Iterable[Obstacle]:
    """Say that there is a case, because the person may know what is kept of theirs and why; not which."""
    if is_under_report(user.pk):
        reason = "A misuse report about generations under your account is open, and they are evidence."
        yield Obstacle("open_case", reason, "It goes when the report is closed; you are told what was decided.")
