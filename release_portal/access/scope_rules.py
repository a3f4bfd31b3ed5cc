"""What a grant opens, and how it can be narrowed: less of the same, never more (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field

from release_portal.access.application_rules import Problem
from release_portal.access.purposes import PURPOSES
from release_portal.access.quota import Limits
from release_portal.access.sampler_rules import LABELS, OPEN, Bounds, bound_problems, in_words, widened

QUOTA_LABELS = {
    "tokens_per_day": "Tokens a day",
    "requests_per_minute": "Requests a minute",
    "concurrent": "Requests at once",
}


@dataclass(frozen=True)
class Scope:
    """What a grant opens.

    Args:
        functions: generate, detect, weights.
        purposes: codes; empty for a grant of before purposes had codes.
        limits: quota.
        sampler: bounds of the sampler settings.
    """

    functions: frozenset[str]
    purposes: frozenset[str]
    limits: Limits
    sampler: Bounds = field(default_factory=dict)


def narrowing_problems(before: Scope, after: Scope) -> list[Problem]:
    """Return what keeps `after` from being a narrowing of `before`."""
    problems = [*_set_problems(before, after), *_quota_problems(before.limits, after.limits)]
    problems += bound_problems(after.sampler)
    for name in widened(before.sampler, after.sampler):
        has = in_words(name, before.sampler.get(name, OPEN))
        problems.append(Problem(f"{name}_most", f"{LABELS[name]}: only narrower than now ({has})."))
    if not problems and before == after:
        problems.append(Problem("", "Nothing would change. Make something narrower."))
    return problems


def changes(before: Scope, after: Scope) -> list[str]:
    """Return the difference of two scopes, a sentence part for each change."""
    found = [f"no longer: {name}" for name in sorted(before.functions - after.functions)]
    found += [f"no longer for: {PURPOSES[code]}" for code in sorted(before.purposes - after.purposes)]
    for name, label in QUOTA_LABELS.items():
        old, new = getattr(before.limits, name), getattr(after.limits, name)
        if old != new:
            found.append(f"{label.lower()}: {new:,} instead of {old:,}")
    for name in LABELS:
        span = after.sampler.get(name, OPEN)
        if span != before.sampler.get(name, OPEN):
            found.append(in_words(name, span))
    return found


def stops_work(before: Scope, after: Scope) -> bool:
    """Whether work that runs may do what is no longer allowed; a smaller quota stops nothing that was admitted."""
    return (before.functions, before.purposes, before.sampler) != (after.functions, after.purposes, after.sampler)


def _set_problems(before: Scope, after: Scope) -> list[Problem]:
    problems = []
    if not after.functions or after.functions - before.functions:
        problems.append(Problem("functions", "Keep at least one of the functions that the grant opens."))
    if after.purposes - before.purposes or (before.purposes and not after.purposes):
        problems.append(Problem("purposes", "Keep at least one of the purposes of the grant."))
    return problems


def _quota_problems(before: Limits, after: Limits) -> list[Problem]:
    problems = []
    for name, label in QUOTA_LABELS.items():
        most = getattr(before, name)
        if not 1 <= getattr(after, name) <= most:
            problems.append(Problem(name, f"{label}: a number from 1 to {most:,}."))
    return problems
