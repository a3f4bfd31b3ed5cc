"""What an approval gives of what was asked for: narrower perhaps, never wider (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from release_portal.access.application_rules import Answers, Problem, functions_open, latest_end
from release_portal.access.extra_terms import Term, both_sets, term_problems
from release_portal.access.people.cohort_rules import MOST as MOST_SEATS
from release_portal.access.quota import Limits
from release_portal.access.sampler_rules import Bounds, bound_problems, narrowest_bounds

MOST = Limits(tokens_per_day=10_000_000, requests_per_minute=6_000, concurrent=256)
# What a decider is offered first.
USUAL = Limits(tokens_per_day=50_000, requests_per_minute=60, concurrent=4)


@dataclass(frozen=True)
class Conditions:
    """What an approval gives.

    Args:
        functions: all or some of what was asked for.
        last_day: not later than what was asked for.
        limits: quota of the grant.
        terms: what the applicant must accept beyond the agreement before the grant counts.
        sampler: bounds of the sampler settings; what is not named is not bounded.
        seats: how many seats a cohort gets; None: as many as were asked for.
    """

    functions: tuple[str, ...]
    last_day: date | None
    limits: Limits
    terms: tuple[Term, ...] = ()
    sampler: Bounds = field(default_factory=dict)
    seats: int | None = None


def condition_problems(answers: Answers, stage: str, conditions: Conditions, *, at: datetime) -> list[Problem]:
    """Return what is wrong with conditions: they may be narrower than what was asked for, never wider."""
    problems = []
    if not conditions.functions or set(conditions.functions) - set(answers.functions):
        problems.append(Problem("functions", "Choose at least one of the functions that were asked for."))
    elif closed := sorted(set(conditions.functions) - set(functions_open(stage))):
        problems.append(Problem("functions", f"At this stage a grant does not open: {', '.join(closed)}."))
    problems += _day_problems(answers.requested_end, conditions.last_day, at)
    for name in ("tokens_per_day", "requests_per_minute", "concurrent"):
        value, most = getattr(conditions.limits, name), getattr(MOST, name)
        if not 1 <= value <= most:
            problems.append(Problem(name, f"Choose a number from 1 to {most:,}."))
    problems += [Problem("terms", one.reason) for one in term_problems(conditions.terms, at=at)]
    return problems + bound_problems(conditions.sampler)


def narrowest(one: Conditions, other: Conditions) -> Conditions:
    """Return what two people both give: what only one of them gives is not agreed."""
    days = [day for day in (one.last_day, other.last_day) if day is not None]
    limits = Limits(
        tokens_per_day=min(one.limits.tokens_per_day, other.limits.tokens_per_day),
        requests_per_minute=min(one.limits.requests_per_minute, other.limits.requests_per_minute),
        concurrent=min(one.limits.concurrent, other.limits.concurrent),
    )
    both = tuple(sorted(set(one.functions) & set(other.functions)))
    terms, sampler = both_sets(one.terms, other.terms), narrowest_bounds(one.sampler, other.sampler)
    seats = min((one.seats, other.seats), key=lambda given: MOST_SEATS if given is None else given)
    return Conditions(both, min(days) if days else None, limits, terms, sampler, seats)


def _day_problems(asked: date | None, day: date | None, at: datetime) -> list[Problem]:
    latest = min(asked or latest_end(at), latest_end(at))
    if day is None or day <= at.date():
        return [Problem("last_day", "The last day must lie in the future.")]
    if day > latest:
        return [Problem("last_day", f"The last day can be {latest:%d %B %Y} at the latest.")]
    return []
