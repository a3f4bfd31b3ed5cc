"""The board: where every size stands, now and then, in a number of queries that does not grow."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from release_portal.registry.models import ModelFamily, ModelSize
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import Freeze, StageEntry, Standing
from tests.world import World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]
GPT2 = "openai/gpt2-774m"


def board(client: Client, **query: str) -> str:
    answer = client.get("/board/", query)
    assert answer.status_code == 200
    return answer.content.decode()


def row_of(page: str, name: str) -> str:
    """What the ladder says of one size."""
    found = re.search(rf'<th scope="row"><a href="[^"]+">{re.escape(name)}</a>(.*?)</tr>', page, re.DOTALL)
    assert found, f"{name} is not on the board"
    return found[1]


def freeze(world: World, family: str, **more: Any) -> Freeze:
    day = timedelta(days=1)
    values = {
        "family": ModelFamily.objects.get(name=family),
        "starts_at": world.at - day,
        "ends_at": world.at + day,
        "reason": "The year ends.",
        "raised_by_id": "1",
        "raised_by": "Ada",
        "raised_at": world.at - 2 * day,
    }
    return Freeze.objects.create(**{**values, **more})


def test_every_size_that_the_public_may_know_stands_on_the_board(world: World, client_of: ClientOf) -> None:
    shown = board(client_of("anonymous"))
    for standing in Standing.objects.exclude(stage="registered").select_related("size"):
        assert standing.place.label in row_of(shown, standing.size.name)


def test_a_size_that_is_only_registered_is_on_the_board_of_staff_alone(world: World, client_of: ClientOf) -> None:
    hidden = Standing.objects.select_related("size").filter(stage="registered").first()
    assert hidden is not None
    assert hidden.size.name not in board(client_of("anonymous"))
    assert hidden.size.name in board(client_of("jo"))


def test_what_holds_a_size_is_marked_over_its_badge(world: World, client_of: ClientOf, at: datetime) -> None:
    size = ModelSize.objects.get(slug=GPT2)
    raise_hold(world.actor("ben"), size, reason="Odd output.", level="hold", at=at)
    raise_hold(world.actor("olu"), size, reason="Too much use.", level="R1", percent=50, at=at)
    freeze(world, "GPT-2")
    row = row_of(board(client_of("anonymous")), size.name)
    assert "Held" in row
    assert "Restricted R1" in row
    assert "Frozen" in row
    assert "Frozen" not in row_of(board(client_of("anonymous")), world.size.name)


def test_a_retirement_and_an_ending_are_marked(world: World, client_of: ClientOf, at: datetime) -> None:
    Standing.objects.filter(size__slug=GPT2).update(sunset_at=at + timedelta(days=30))
    assert "Sunset announced" in row_of(board(client_of("anonymous")), "GPT-2 774M")
    Standing.objects.filter(size__slug=GPT2).update(ending="withdrawn")
    row = row_of(board(client_of("anonymous")), "GPT-2 774M")
    assert "Withdrawn" in row
    assert "Sunset announced" not in row


def test_one_family_can_be_chosen(world: World, client_of: ClientOf) -> None:
    family = ModelFamily.objects.get(name="GPT-2")
    shown = board(client_of("anonymous"), family=family.slug)
    assert "GPT-2 774M" in shown
    assert "OPT 175B" not in shown


def test_the_table_states_what_the_picture_shows(world: World, client_of: ClientOf) -> None:
    shown = board(client_of("anonymous"))
    assert "GPT-2 as a table" in shown
    assert 'href="/sizes/openai/gpt2-774m/excuses/"' in shown


def test_the_board_of_many_sizes_is_paginated(world: World, client_of: ClientOf, at: datetime) -> None:
    grow(at, 55)
    first = board(client_of("anonymous"))
    assert first.count('class="ladder-stage"') == 50
    assert 'rel="next"' in first


def grow(at: datetime, count: int) -> None:
    """Add a family with so many sizes, each on the stage disclosed."""
    family = ModelFamily.objects.create(slug="many", name="Many", lab="Lab", ordinal=99)
    for number in range(count):
        size = ModelSize.objects.create(
            family=family, slug=f"lab/many-{number}", name=f"Many {number}", ordinal=number, parameters=number + 1
        )
        Standing.objects.create(size=size, stage="disclosed", granted="disclosed", since=at)
        StageEntry.objects.create(size=size, stage="disclosed", ordinal=1, entered_at=at)


@pytest.mark.parametrize("query", [{}, {"as_of": "2020-01-31T12:00"}])
def test_the_board_costs_the_same_for_five_sizes_and_for_forty(
    world: World, client_of: ClientOf, at: datetime, query: dict[str, str]
) -> None:
    """Seen to fail with the holds asked for size by size, and with one fold of the record for each size."""
    client = client_of("anonymous")
    board(client, family="smollm2", **query)
    with CaptureQueriesContext(
        connection,
    ) as few:
        board(client, family=ModelFamily.objects.get(name="GPT-2").slug, **query)
    grow(at, 40)
    with CaptureQueriesContext(connection) as many:
        shown = board(client, family="many", **query)
    assert "Many 39" in shown
    assert len(many) <= len(few)
