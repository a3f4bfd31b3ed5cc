"""Two generations side by side: asked for together, shown together, each its owner's alone."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlparse

import pytest
import redis
from django.conf import settings
from django.test import Client

from inference.contract import FinishReason, Piece, Usage
from release_portal.access.models import Grant
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import usage_of
from release_portal.jobs.settle import Settlement
from release_portal.moves.services import restrict
from release_portal.ops import demo
from release_portal.registry.services import register_revision
from tests import fakes
from tests.world import SERVED, World, stored_digest

pytestmark = pytest.mark.django_db(transaction=True)

OPEN = "openai/gpt2-124m"
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


def test_penalties_and_stop_strings_belong_to_a_side_and_come_back_with_the_address(
    world: World, service: redis.Redis
) -> None:
    cleo = client_of(world, "cleo")
    wishes = {"b_stop": "\r\n\r\nThe end", "b_repetition_penalty": "1.3", "b_presence_penalty": "-0.5"}
    address = cleo.post("/compare/", sent(**wishes))["Location"]
    left, right = Job.objects.order_by("submit_key")
    assert (left.settings.stop, left.settings.repetition_penalty) == ((), 1.0)
    assert right.settings.stop == ("The end",)
    assert (right.settings.repetition_penalty, right.settings.presence_penalty) == (1.3, -0.5)
    page = cleo.get(address).content.decode()
    for words in ("Repetition penalty", "Presence penalty", "Stop at"):
        assert f'<th scope="row">{words}</th>' in page
    assert "&quot;The end&quot;" in page
    assert 'name="b-repetition_penalty" value="1.3"' in page
    assert page.count('<details class="more" open>') == 1, "only the side that uses them shows them"


def test_the_bounds_of_the_grant_are_told_before_anything_is_sent_and_an_error_stands_at_its_side(
    world: World, service: redis.Redis
) -> None:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(sampler={"max_tokens": [None, 6], "context": [None, 200]})
    cleo = client_of(world, "cleo")
    page = cleo.get("/compare/").content.decode()
    assert page.count("Your grant: at most 6.") == 2
    assert "tokens of an output at most 6, tokens of prompt and output together at most 200" in page
    assert 'name="b-max_tokens" value="6"' in page
    answer = cleo.post("/compare/", sent(a_max_tokens="6"))
    assert answer.status_code == 400
    assert "id_b-max_tokens_error" in answer.content.decode()
    assert "id_a-max_tokens_error" not in answer.content.decode()
    assert not Job.objects.exists()


def test_a_restricted_size_says_how_long_an_output_may_be(world: World, service: redis.Redis, at: Any) -> None:
    restrict(world.actor("ben"), world.size, "R2", reason="x", max_tokens=5, at=at)
    page = client_of(world, "cleo").get("/compare/").content.decode()
    assert page.count("Restricted now: at most 5.") == 2
    assert "tokens of an output at most 5" in page


def test_two_sizes_run_on_one_prompt_each_under_what_opens_it(world: World, service: redis.Redis, at: Any) -> None:
    register_revision(demo.DEMO, OPEN, stored_digest(), settings.STORE_ROOT, source="tests", at=at)
    cleo = client_of(world, "cleo")
    address = cleo.post("/compare/", sent(b_size=OPEN))["Location"]
    left, right = Job.objects.order_by("submit_key")
    assert (left.size.slug, right.size.slug) == (SERVED, OPEN)
    assert left.grant_id == world.grants["cleo"].pk
    page = cleo.get(address).content.decode()
    assert f"Left: {left.size.name}" in page
    assert f"Right: {right.size.name}" in page


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
