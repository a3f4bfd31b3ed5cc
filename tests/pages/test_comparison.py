"""Two generations side by side: asked for together, shown together, each its owner's alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
import redis
from django.test import Client

from inference.contract import FinishReason, Piece, Usage
from release_portal.access.models import Grant
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import usage_of
from release_portal.jobs.settle import Settlement
from tests import fakes
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db(transaction=True)

SIDE = {"size": SERVED, "temperature": "1", "top_k": "0", "top_p": "1", "max_tokens": "8", "samples": "1", "seed": "5"}


def client_of(world: World, name: str) -> Client:
    client = Client()
    client.force_login(world.people[name])
    return client


def sent(key: str = "k", prompt: str = "The sea", **changes: str) -> dict[str, str]:
    """Both sides alike, but for changes such as `b_seed`."""
    both = {f"{side}-{name}": value for side in "ab" for name, value in SIDE.items()}
    return (
        both
        | {name.replace("_", "-", 1): value for name, value in changes.items()}
        | {"prompt": prompt, "submit_key": key}
    )


def test_one_act_makes_both_and_leads_to_an_address_that_shows_them(world: World, service: redis.Redis) -> None:
    cleo = client_of(world, "cleo")
    answer = cleo.post("/compare/", sent(b_temperature="0.5"))
    assert answer.status_code == 303
    named = {side: ids[0] for side, ids in parse_qs(urlparse(answer["Location"]).query).items()}
    jobs = {side: Job.objects.get(pk=job_id) for side, job_id in named.items()}
    assert [jobs[side].settings.temperature for side in "ab"] == [1.0, 0.5]
    assert {job.prompt for job in jobs.values()} == {"The sea"}
    assert {order.needs_reader for job in jobs.values() if (order := fakes.order_of(service, job.pk))} == {True}
    page = cleo.get(answer["Location"]).content.decode()
    for job in jobs.values():
        assert f"/generations/{job.pk}/stream/" in page
    assert "Where the settings differ" in page
    assert cleo.post("/compare/", sent(b_temperature="0.5"))["Location"] == answer["Location"], "a double click"
    assert Job.objects.count() == 2


def test_what_came_stays_at_the_address(world: World, service: redis.Redis) -> None:
    cleo = client_of(world, "cleo")
    address = cleo.post("/compare/", sent())["Location"]
    for number, job in enumerate(Job.objects.order_by("submit_key")):
        fakes.deliver(service, job.pk, Piece(0, f" text {number}", 1, "length"))
        fakes.finish(service, job.pk, FinishReason.LENGTH, usage=Usage(7, 1))
    Settlement(service).consume()
    page = cleo.get(address).content.decode()
    assert page.index(" text 0") < page.index(" text 1")
    assert "Both have the same settings and the same seed." in page
    assert client_of(world, "gia").get(address).status_code == 404
    assert Client().get(address).status_code == 401


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        ({"b_temperature": "9"}, "id_b-temperature_error"),
        ({"a_samples": "none"}, "id_a-samples_error"),
        ({"prompt": ""}, "id_prompt_error"),
    ],
)
def test_an_error_stands_at_its_side_and_nothing_is_submitted(
    world: World, service: redis.Redis, wrong: dict[str, str], place: str
) -> None:
    answer = client_of(world, "cleo").post("/compare/", sent(**wrong))
    assert answer.status_code == 400
    assert place in answer.content.decode()
    assert not Job.objects.exists()


def test_when_only_one_fits_none_is_made_and_its_tokens_are_free_again(
    world: World, service: redis.Redis, at: Any
) -> None:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(tokens_per_day=20)
    cleo = client_of(world, "cleo")
    assert cleo.post("/compare/", sent()).status_code == 429
    assert not Job.objects.exists()
    assert usage_of(f"grant:{world.grants['cleo'].pk}", at).reserved == 0
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(tokens_per_day=2 * 15)
    assert cleo.post("/compare/", sent("again")).status_code == 303


def test_who_may_not_generate_is_told_so(world: World, service: redis.Redis) -> None:
    finn = client_of(world, "finn")
    assert "You may generate with no size now" in finn.get("/compare/").content.decode()
    assert finn.post("/compare/", sent()).status_code == 403
    assert client_of(world, "cleo").post("/compare/", sent(a_size="nobody/nothing")).status_code == 400
    assert not Job.objects.exists()
