"""Measure access at the size of a large lab, in a database of its own: a part of `make bench`.

One decision is measured without a database; the pages with 100,000 applications and 50,000 grants.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import structlog

from benchmarks.governance import own_database

ROUNDS, CALLS = 7, 20_000
GOAL_MICROSECONDS = 20


@dataclass(frozen=True)
class Amount:
    """How many rows are written."""

    applications: int
    grants: int


FULL, QUICK = Amount(100_000, 50_000), Amount(2_000, 1_000)


def main() -> None:
    """Measure, print."""
    with own_database():
        from release_portal.core.clock import now

        # A line for each request would stand between the figures.
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
        amount, at = QUICK if os.environ.get("QUICK") else FULL, now()
        _print_rules(at)
        _print_pages(amount, at)


# --- One decision ----------------------------------------------------------------------------------------------------


def _print_rules(at: datetime) -> None:
    print(f"\none decision, without a database: microseconds, median (least to most) of {ROUNDS} rounds of {CALLS:,}")
    work = _rules(at)
    spent: dict[str, list[float]] = {name: [] for name in work}
    for _ in range(ROUNDS):  # each in turn, so that a busy machine slows all of them alike
        for name, one in work.items():
            started = time.process_time()
            for _call in range(CALLS):
                one()
            spent[name].append((time.process_time() - started) / CALLS * 1e6)
    for name, times in spent.items():
        goal = f"   goal {GOAL_MICROSECONDS}" if name.startswith("policy.decide") else ""
        print(f"  {name:<48} {median(times):7.2f} ({min(times):.2f} to {max(times):.2f}){goal}", flush=True)


def _rules(at: datetime) -> dict[str, Callable[[], Any]]:
    from release_portal.access.application_rules import Answers, decide_command
    from release_portal.access.grant_rules import GrantFacts
    from release_portal.access.policy import Action, Facts, decide
    from release_portal.access.risk_rules import RiskFacts, risk_of
    from release_portal.core.actors import Actor, ActorKind

    day = timedelta(days=1)
    holder = Actor(ActorKind.USER, "7", "holder")
    lead = Actor(ActorKind.USER, "8", "lead", frozenset({"access_lead"}))
    functions = frozenset({"generate", "detect"})
    grant = GrantFacts("g-1", "active", "research", functions, at - day, at + day)
    facts = Facts(holder, "research_hosted", False, True, (grant,), at)
    without = Facts(holder, "research_hosted", False, True, (), at)
    answers = Answers("P05", "A", "B", "C", ("generate",), (at + 90 * day).date())
    risk = RiskFacts("research_hosted", answers, 1_500_000_000, 124_000_000, at.date())
    return {
        "policy.decide: generate, by a grant": lambda: decide(facts, Action.GENERATE),
        "policy.decide: generate, without a grant": lambda: decide(without, Action.GENERATE),
        "policy.decide: read the card": lambda: decide(facts, Action.READ_CARD),
        "decide_command: approve": lambda: decide_command("approve", "submitted", lead, "7", "research_hosted", tier=1),
        "decide_command: approve, one's own": lambda: decide_command(
            "approve", "submitted", lead, "8", "research_hosted", tier=1
        ),
        "risk_of": lambda: risk_of(risk),
    }


# --- Pages -----------------------------------------------------------------------------------------------------------


def _print_pages(amount: Amount, at: datetime) -> None:
    client = _filled(amount, at)
    pages = {
        "queue": "/staff/applications/",
        "queue, page 100": "/staff/applications/?state=waiting&page=100",
        "search by applicant": "/staff/applications/?applicant=bulk-77",
        "search by affiliation and tier": "/staff/applications/?affiliation=tides&tier=2",
        "figures": "/staff/applications/figures/",
        "grants": "/staff/grants/",
        "grants by holder and state": "/staff/grants/?holder=bulk-77&state=active",
    }
    print(
        f"\npages with {amount.applications:,} applications and {amount.grants:,} grants: milliseconds by the clock "
        f"and of the processor, median (least to most) of {ROUNDS} rounds"
    )
    wall: dict[str, list[float]] = {name: [] for name in pages}
    processor: dict[str, list[float]] = {name: [] for name in pages}
    for _ in range(ROUNDS):
        for name, address in pages.items():
            started, used = time.perf_counter(), time.process_time()
            response = client.get(address)
            wall[name].append((time.perf_counter() - started) * 1e3)
            processor[name].append((time.process_time() - used) * 1e3)
            assert response.status_code == 200, (address, response.status_code)
    for name in pages:
        print(f"  {name:<34} {_spread(wall[name])}   {_spread(processor[name])}", flush=True)


def _spread(times: list[float]) -> str:
    return f"{median(times):8.1f} ({min(times):.1f} to {max(times):.1f})"


def _filled(amount: Amount, at: datetime) -> Any:
    from django.db import connection, transaction
    from django.test import Client

    from benchmarks import access_rows, bulk
    from release_portal.accounts.models import RoleAssignment, User

    with transaction.atomic():
        bulk.write_policy(at)
        sizes = bulk.write_sizes(8, at=at)
        people = access_rows.write_people(max(amount.applications // 8, 10))
        access_rows.write_applications(people, sizes, amount.applications, at=at)
        access_rows.write_grants(people, sizes, amount.grants, at=at)
        lead = User.objects.create_user("lead", "lead@example.org")
        RoleAssignment.objects.create(user=lead, role="access_lead", given_at=at, given_by="bulk")
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
    client = Client(HTTP_HOST="localhost")
    client.force_login(lead, backend="django.contrib.auth.backends.ModelBackend")
    return client


if __name__ == "__main__":
    main()
