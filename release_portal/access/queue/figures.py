"""How reviewing goes: time for each step, age of what waits, how often people disagree. Nothing about applicants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, F, Min, Q

from release_portal.access.application_rules import OURS, WORKING_DAYS
from release_portal.access.models import Application, Question, ReviewVote
from release_portal.access.queue.load_rules import Load
from release_portal.access.queue.loads import loads_at
from release_portal.access.queue.promises import late_counts
from release_portal.access.queue.throughput import DECIDED, NEWEST, expected_at_tier, working_days_of
from release_portal.access.queue.throughput_rules import LOOK_BACK_DAYS, Range, range_of

# What waits, by the days since it was handed in: younger than this.
AGES = (2, 5, 10, 20)


@dataclass(frozen=True)
class StepTime:
    """How long a step took; None when it happened too seldom to say."""

    code: str
    took: Range | None


@dataclass(frozen=True)
class Figures:
    """What the page of figures shows.

    Args:
        steps: time for each step in the last 90 days.
        ages: how many wait, by age: pairs of days (0 for older) and count.
        loads: what each reviewer has in hand.
        late: how many promises are missed.
        very_late: how many by half as much time again.
        agreed: decisions of two people that were of one mind.
        disagreed: decisions in which two people were of two minds.
    """

    steps: tuple[StepTime, ...]
    ages: tuple[tuple[int, int], ...]
    loads: tuple[Load, ...]
    late: int
    very_late: int
    agreed: int
    disagreed: int


def figures_at(at: datetime) -> Figures:
    """Return the figures as of now, in a fixed number of queries."""
    counts, (agreed, disagreed) = late_counts(at), _minds(at)
    return Figures(
        steps=_steps(at), ages=_ages(at), loads=tuple(loads_at(at)), agreed=agreed, disagreed=disagreed, **counts
    )


def _steps(at: datetime) -> tuple[StepTime, ...]:
    since = at - timedelta(days=LOOK_BACK_DAYS)
    tiers = [StepTime(f"tier_{tier}", expected_at_tier(tier, at=at)) for tier in WORKING_DAYS]
    answered = Question.objects.filter(answered_at__gte=since, answered_at__lte=at).order_by("-answered_at")
    asked = range_of(working_days_of(answered.values_list("asked_at", "answered_at")[:NEWEST]))
    return (*tiers, StepTime("answer", asked), StepTime("first_review", _first_reviews(since, at)))


def _first_reviews(since: datetime, at: datetime) -> Range | None:
    """From the sending to the first review of those that two people decide."""
    firsts = ReviewVote.objects.filter(at__gte=since, at__lte=at, review_round=1).values("application")
    first = firsts.annotate(first=Min("at")).order_by("-first")
    return range_of(working_days_of(first.values_list("application__submitted_at", "first")[:NEWEST]))


def _ages(at: datetime) -> tuple[tuple[int, int], ...]:
    edges = [at - timedelta(days=days) for days in AGES]
    younger = {
        f"under_{days}": Count("pk", filter=Q(submitted_at__gt=edge)) for days, edge in zip(AGES, edges, strict=True)
    }
    found = Application.objects.filter(state__in=sorted(OURS)).aggregate(all=Count("pk"), **younger)
    so_far, pairs = 0, []
    for days in AGES:
        pairs.append((days, found[f"under_{days}"] - so_far))
        so_far = found[f"under_{days}"]
    return (*pairs, (0, found["all"] - so_far))


def _minds(at: datetime) -> tuple[int, int]:
    """How often two people agreed at once, and how often a third was needed, in decisions of the last 90 days."""
    since = at - timedelta(days=LOOK_BACK_DAYS)
    votes = Q(votes__review_round=F("review_round") - 1)
    found = Application.objects.filter(votes, state__in=DECIDED, decided_at__gte=since, decided_at__lte=at)
    split = found.annotate(kinds=Count("votes__verdict", filter=votes, distinct=True)).values_list("kinds", flat=True)
    kinds = list(split.order_by("-decided_at")[:NEWEST])
    return kinds.count(1), sum(one > 1 for one in kinds)
