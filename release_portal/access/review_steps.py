"""How many people review an application, from which roles: the house's least, and what programmes may add (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from release_portal.access.application_rules import DECIDERS, REVIEWERS, SECOND_REVIEW, TWO_PEOPLE_FROM

MOST_PEOPLE = 3
TIERS = (0, 1, 2, 3)


@dataclass(frozen=True)
class Step:
    """One step of a review.

    Args:
        people: how many distinct people must approve.
        roles: who counts among them.
    """

    people: int
    roles: tuple[str, ...]


def house_step(kind: str, tier: int) -> Step:
    """Return the least that the house asks for: below tier 2 the lead of that kind of grant, from tier 2 two people."""
    return Step(2, REVIEWERS) if tier >= TWO_PEOPLE_FROM else Step(1, (DECIDERS[kind],))


def is_weaker(step: Step, kind: str, tier: int) -> str:
    """Return in what a step falls short of the house's; empty when it does not."""
    house = house_step(kind, tier)
    if step.people < house.people:
        return f"tier {tier} needs at least {house.people}"
    if not step.roles or set(step.roles) - set(REVIEWERS):
        return f"only these review: {', '.join(REVIEWERS)}"
    if step.people == 1 and step.roles != house.roles:
        return f"one person alone is the {DECIDERS[kind]}"
    return ""


def step_at(step: Step, state: str) -> Step:
    """Return the step that counts in a state: once a second person is waited for, one alone no longer decides."""
    if state == SECOND_REVIEW and step.people < 2:
        return Step(2, REVIEWERS)
    return step
