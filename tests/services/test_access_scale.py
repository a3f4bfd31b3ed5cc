"""100,000 applications and 50,000 grants cost as many queries, and as many rows in memory, as a few."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models.signals import post_init
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks import access_rows
from release_portal.access.agreements.services import agreement_in_force, sign_agreement
from release_portal.access.extra_terms import Term
from release_portal.access.grant_rules import GRANT, STORED
from release_portal.access.grant_search import GrantSearch, grants_found
from release_portal.access.models import Application, Grant
from release_portal.access.obligations.services import add_duties
from release_portal.access.pausing import pauses_on
from release_portal.access.queue.figures import figures_at
from release_portal.access.queue.loads import next_for
from release_portal.access.queue.status import status_of
from release_portal.access.review_desk import desk_of
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from release_portal.registry.models import ModelSize
from tests.services.agreeing import next_version
from tests.world import World

DAY = timedelta(days=1)
FEW = 60
# What `make test` can wait for; `.ci/run` writes what a large lab would have.
MANY, GRANTS = (100_000, 50_000) if os.environ.get("HYPOTHESIS_PROFILE") == "ci" else (3_000, 1_500)
MOST_IN_MEMORY = 400
QUEUE, STAFF = reverse("review-queue"), reverse("staff-grants")
ADDRESSES = {
    "queue": QUEUE,
    "second page": f"{QUEUE}?page=2",
    "by applicant": f"{QUEUE}?applicant=few-1",
    "by address": f"{QUEUE}?applicant=mail7",
    "by size": f"{QUEUE}?size=smollm2",
    "by id": f"{QUEUE}?id=a-",
    "by affiliation": f"{QUEUE}?affiliation=tides",
    "by state": f"{QUEUE}?state=ended",
    "by tier": f"{QUEUE}?state=waiting&tier=2",
    "by age": f"{QUEUE}?age=10",
    "figures": reverse("review-figures"),
    "grants": STAFF,
    "grants by holder": f"{STAFF}?holder=few-1",
    "grants by state": f"{STAFF}?state=active",
    "grants by size": f"{STAFF}?size=smollm2",
}


@contextmanager
def in_memory() -> Iterator[dict[str, int]]:
    """Count the rows that become objects."""
    seen = {"rows": 0}

    def count(sender: type[Any], **_more: Any) -> None:
        seen["rows"] += sender in (Application, Grant)

    post_init.connect(count)
    yield seen
    post_init.disconnect(count)


def filled(world: World, count: int, grants: int, label: str) -> None:
    people, sizes = access_rows.write_people(max(count // 8, 10), label=label), list(ModelSize.objects.all())
    access_rows.write_applications(people, sizes, count, at=world.at)
    access_rows.write_grants(people, sizes, grants, at=world.at)


def costs(world: World, client: Any) -> dict[str, int]:
    """Queries of each page and each question; each is asked twice, so that what is kept for good is read before."""
    desk = desk_of(world.actor("ben"))

    def status() -> None:
        one = Application.objects.select_related("size__standing").filter(state="submitted").order_by("due_at").last()
        assert one is not None
        status_of(one, at=world.at)

    work: dict[str, Callable[[], Any]] = {
        name: lambda address=address: opened(client, address)  # type: ignore[misc]
        for name, address in ADDRESSES.items()
    }
    work |= {"next": lambda: next_for(desk, world.at), "figures_at": lambda: figures_at(world.at), "status": status}
    return {name: queries(one, name) for name, one in work.items()}


def opened(client: Any, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 200, address
    assert b"<tbody>" in response.content, address


def queries(work: Callable[[], Any], name: str) -> int:
    work()
    with CaptureQueriesContext(connection) as caught, in_memory() as seen:
        work()
    assert seen["rows"] <= MOST_IN_MEMORY, name
    return len(caught)


def test_many_applications_and_grants_cost_as_many_queries_as_few(
    world: World, client_of: Callable[[str], Any]
) -> None:
    """Seen to fail with a state of grants that is worked out row by row."""
    client = client_of("ivy")
    filled(world, FEW, FEW, "few")
    before = costs(world, client)
    filled(world, MANY - FEW, GRANTS - FEW, "more")
    assert Application.objects.count() >= MANY
    assert Grant.objects.count() >= GRANTS
    assert costs(world, client) == before


@pytest.mark.parametrize("name", ["finn", "cleo", "anonymous"])
def test_search_in_many_shows_nothing_to_others(world: World, client_of: Callable[[str], Any], name: str) -> None:
    filled(world, FEW, FEW, "few")
    for address in (QUEUE, STAFF):
        assert client_of(name).get(address).status_code in (401, 403)


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize(("start", "end"), [(-2, -1), (-1, 0), (-1, 1), (0, 1), (1, 2)])
def test_the_list_by_state_is_the_single_answer(world: World, stored: str, start: int, end: int) -> None:
    at, grant = world.at, world.grants["cleo"]
    Grant.objects.filter(pk=grant.pk).update(state=stored, starts_at=at + start * DAY, ends_at=at + end * DAY)
    one = Grant.objects.get(pk=grant.pk)
    listed = [state for state in GRANT.states if Grant.objects.standing_as(state, at).filter(pk=grant.pk)]
    assert listed == [one.state_at(at)]


def test_the_list_of_those_that_rest_is_the_single_answer(world: World) -> None:
    """For each holder: nothing missed, in grace, lapsed, signed anew, or a duty overdue for long."""
    at, ivy = world.at, world.actor("ivy")
    write_agreement(DEMO, at=at - 200 * DAY)
    next_version(world, "A second text.", at=at - 21 * DAY, start=at - 20 * DAY)
    cleo, grant = world.people["cleo"], world.grants["cleo"]
    Grant.objects.update(starts_at=at - 100 * DAY, ends_at=at + 100 * DAY)
    add_duties(grant, [Term("Q06", "1")], at=at - 50 * DAY)
    sign_agreement(world.actor("cleo"), cleo, agreement_in_force(at - 30 * DAY), at=at - 30 * DAY)
    seen = set()
    for moment in (at - 31 * DAY, at - 25 * DAY, at, at + 9 * DAY, at + 11 * DAY, at + 60 * DAY):
        running = [one for one in Grant.objects.all() if one.state_at(moment) == "active"]
        resting = {one.pk for one in running if pauses_on([one], moment)[one.pk]}
        listed = {one.pk for one in grants_found(ivy, GrantSearch(state="paused"), at=moment)}
        working = {one.pk for one in grants_found(ivy, GrantSearch(state="active"), at=moment)}
        assert (listed, working) == (resting, {one.pk for one in running} - resting)
        seen.add(grant.pk in resting)
    assert seen == {True, False}, "the test has seen both"


def test_grants_are_found_by_each_word(world: World) -> None:
    ivy, cleo = world.actor("ivy"), world.grants["cleo"]

    def found(**words: str) -> set[str]:
        return {one.pk for one in grants_found(ivy, GrantSearch(**words), at=world.at)}

    assert found() == found(state="nonsense") == {one.pk for one in Grant.objects.all()}
    assert found(holder="cleo") == found(id=cleo.pk) == {cleo.pk}
    assert cleo.pk in found(size="smollm2", state="active")
    assert found(size="nothing of the kind") == found(affiliation="Institute of Nowhere") == set()
    assert {one.pk for one in grants_found(world.actor("finn"), GrantSearch(), at=world.at)} == set()
