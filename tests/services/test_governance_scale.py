"""A thousand sizes cost as many queries as ten: lookups, the board and the excuses page."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks import bulk
from release_portal.audit.models import AuditEvent
from release_portal.evidence.lookups import newest_evidence
from release_portal.evidence.models import Evidence
from release_portal.registry.models import ModelSize
from release_portal.releases.assessments import next_assessments
from release_portal.releases.excuses import excuses_for
from release_portal.releases.history import board_as_of
from release_portal.releases.models import PolicyVersion
from release_portal.releases.policy_services import policies_in_force
from tests.world import World

FEW = 10
# What `make test` can wait for; `.ci/run` writes what a large lab would have.
MANY, EVIDENCE, EVENTS = (
    (1_000, 100_000, 20_000) if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else (100, 5_000, 2_000)
)


@dataclass(frozen=True)
class Lab:
    """Rows in bulk."""

    world: World
    sizes: list[ModelSize]


@pytest.fixture
def few(world: World) -> Lab:
    """The demo and ten sizes with everything that a size can have."""
    return Lab(world, filled(world, FEW, "few", EVIDENCE // MANY * FEW, EVENTS // MANY * FEW))


def filled(world: World, count: int, label: str, evidence: int, events: int) -> list[ModelSize]:
    sizes = bulk.write_sizes(count, at=world.at, label=label)
    bulk.write_proposals(sizes, PolicyVersion.objects.get(name="preset"), at=world.at)
    bulk.write_evidence(sizes, evidence, at=world.at)
    bulk.write_events([size.slug for size in sizes], events, at=world.at)
    return sizes


def grown(lab: Lab) -> list[ModelSize]:
    """Add the many; return all that were written in bulk."""
    return lab.sizes + filled(lab.world, MANY - FEW, "more", EVIDENCE, EVENTS)


def fresh(sizes: list[ModelSize]) -> list[ModelSize]:
    """Read them again: what an earlier question left on an instance would hide what the next one costs."""
    return list(ModelSize.objects.filter(pk__in=[size.pk for size in sizes]).select_related("standing"))


def queries(work: Callable[[], Any]) -> int:
    work()  # what is kept for good, like parsed policies, is read once
    with CaptureQueriesContext(
        connection,
    ) as caught:
        work()
    return len(caught)


def test_many_sizes_cost_as_many_queries_as_few(few: Lab, client_of: Callable[[str], Any]) -> None:
    """Seen to fail with sizes whose `standing` is not loaded."""
    at, visitor = few.world.at, client_of("anonymous")
    lookups: dict[str, Callable[[list[ModelSize]], Any]] = {
        "next_assessments": lambda sizes: next_assessments(sizes, at),
        "excuses_for": lambda sizes: excuses_for(sizes, at),
        "board_as_of": lambda sizes: board_as_of(sizes, at),
        "newest_evidence": newest_evidence,
        "policies_in_force": lambda sizes: policies_in_force(sizes, at),
    }
    pages = {
        "board": reverse("board"),
        "board as of then": reverse("board") + f"?as_of={at:%Y-%m-%d}",
        "excuses": reverse("excuses"),
        "excuses as CSV": reverse("excuses") + "?format=csv",
    }

    def counted(sizes: list[ModelSize]) -> dict[str, int]:
        found = {name: queries(lambda ask=ask: ask(fresh(sizes))) for name, ask in lookups.items()}
        return found | {
            name: queries(lambda address=address: shown(visitor, address)) for name, address in pages.items()
        }

    before = counted(few.sizes)
    everything = grown(few)
    assert len(everything) == MANY
    assert Evidence.objects.count() >= EVIDENCE
    assert AuditEvent.objects.count() >= EVENTS
    assert counted(everything) == before


def shown(client: Any, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 200, address
