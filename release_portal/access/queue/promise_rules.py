"""What silence of ours means: people are told at parts of the promise; nothing is ever decided by it (pure)."""

from __future__ import annotations

from datetime import datetime, timedelta

from release_portal.access.application_rules import WORKING_DAYS
from release_portal.core.workdays import add_working_time, subtract_working_time, working_days

# Percent of the promised time: the lead is told, then the other reviewers, then it stands in a counter.
LEAD, OTHERS, COUNTER = 80, 100, 150
STEPS = (LEAD, OTHERS, COUNTER)


def moment_of(step: int, due_at: datetime, tier: int) -> datetime:
    """Return when so many percent of the promised working time have passed."""
    whole = working_days(WORKING_DAYS[tier])
    if step <= OTHERS:
        return subtract_working_time(due_at, _percent(whole, OTHERS - step))
    return add_working_time(due_at, _percent(whole, step - OTHERS))


def next_step(told: int, due_at: datetime, tier: int) -> tuple[int, datetime] | None:
    """Return the step after the one that was told last, with its time; None after the last."""
    step = next((one for one in STEPS if one > told), None)
    return None if step is None else (step, moment_of(step, due_at, tier))


def _percent(whole: timedelta, percent: int) -> timedelta:
    return whole * percent / 100
