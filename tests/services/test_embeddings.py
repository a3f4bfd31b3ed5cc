"""What /v1/embeddings answers, while a worker of the test says what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import AsyncClient

from inference.contract import EmbedResult, FinishReason, Order, Pooling, StreamKind, Usage, cancel_key, stream_key
from release_portal.access.models import Grant
from release_portal.accounts.services import create_token
from release_portal.celery import app
from release_portal.core.clock import now
from release_portal.generation import embedding
from release_portal.jobs.models import Job
from tests import fakes
from tests.world import MISSING_CHARACTER, SERVED, World

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"model": SERVED, "input": "Hello"}
VECTORS = {"Hello": (0.5, -1.0), "World": (0.25, 2.0)}
Scopes = Callable[..., str]


@pytest.fixture
def token_of(world: World) -> Scopes:
    def make(name: str, *scopes: str) -> str:
        at = now() - timedelta(minutes=1)
        return create_token(world.actor(name), world.people[name], name="t", scopes=scopes or ("generate",), at=at)[1]

    return make


@pytest.fixture
def secret(token_of: Scopes) -> str:
    """A token of cleo's that generates."""
    return token_of("cleo")


@pytest.fixture
def orders(service: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> list[Order]:
    """What a worker was asked, which answers at once; it is too busy for "Busy" and leaves others waiting."""
    taken: list[Order] = []

    def send(name: str, args: list[str], **more: Any) -> None:
        order = fakes.order_of(service, args[0])
        assert order is not None
        taken.append(order)
        fakes.claim(service, args[0])
        if order.prompt == "Busy":
            fakes.finish(service, args[0], FinishReason.OVERLOADED, error="too much waits", usage=Usage())
        if order.prompt not in VECTORS:
            return
        result = EmbedResult.of(VECTORS[order.prompt], order.pooling, 5)
        service.xadd(stream_key(args[0]), {"kind": StreamKind.RESULT.value, "step": "1", "body": result.to_json()})
        fakes.finish(service, args[0], FinishReason.COMPLETE, usage=Usage(5, 0))

    monkeypatch.setattr(app, "send_task", send)
    return taken


def ask(secret: str, **more: Any) -> Any:
    """Send one call."""

    async def send() -> Any:
        client = AsyncClient(raise_request_exception=False)
        headers = {"Authorization": f"Bearer {secret}"}
        return await client.post("/v1/embeddings", json.dumps(BODY | more), "application/json", headers=headers)

    return asyncio.run(send())


def error_of(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = answer.json()["error"]
    return found


def test_each_text_has_a_vector_in_their_order_and_costs_what_was_read(
    world: World, secret: str, orders: list[Order]
) -> None:
    answer = ask(secret, input=["World", "Hello"]).json()
    assert answer["object"] == "list"
    assert answer["data"] == [
        {"object": "embedding", "index": 0, "embedding": [0.25, 2.0]},
        {"object": "embedding", "index": 1, "embedding": [0.5, -1.0]},
    ]
    assert (answer["model"], answer["usage"]) == (SERVED, {"prompt_tokens": 10, "total_tokens": 10})
    assert {order.pooling for order in orders} == {Pooling.MEAN}
    told = answer["portal"]
    assert {job.pk for job in Job.objects.all()} == set(told["jobs"])
    assert (told["pooling"], told["stage"]) == ("mean", Job.objects.all()[0].stage)
    assert "permalink" not in told, "there is no page of a vector"


def test_a_packed_vector_has_the_same_numbers(world: World, secret: str, orders: list[Order]) -> None:
    (packed,) = ask(secret, encoding_format="base64", pooling="last", user="u-1").json()["data"]
    assert EmbedResult(packed["embedding"], 2, Pooling.LAST, 5).numbers == VECTORS["Hello"]
    assert orders[0].pooling is Pooling.LAST
    assert Job.objects.get().end_user, "a mark of whom the client named"


def test_token_ids_are_taken_where_a_text_is_read_as_exactly_these(
    world: World, secret: str, orders: list[Order]
) -> None:
    from django.conf import settings

    from release_portal.registry.tokens import prompt_tokenizer

    revision = world.size.current_revision
    assert revision is not None
    ids = prompt_tokenizer(settings.STORE_ROOT, revision.digest).ids("Hello")
    assert ask(secret, input=ids).json()["data"][0]["embedding"] == [0.5, -1.0]
    assert error_of(ask(secret, input=[10**9]))["code"] == "prompt_not_a_text"


def test_dimensions_are_those_of_the_size_or_refused_by_name(
    world: World, secret: str, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = ask(secret, dimensions=2)
    assert (refused.status_code, error_of(refused)["param"]) == (400, "dimensions")
    assert "does not say how wide" in error_of(refused)["message"]
    monkeypatch.setattr(embedding, "width_of", lambda root, digest: 2)
    assert ask(secret, dimensions=2).status_code == 200
    refused = ask(secret, dimensions=1)
    assert (error_of(refused)["param"], error_of(refused)["code"]) == ("dimensions", "unsupported_parameter")
    assert "vectors of 2 numbers" in error_of(refused)["message"]
    assert len(orders) == 1


@pytest.mark.parametrize("wrong", ["", "x" * 3_000, MISSING_CHARACTER, ["Hello", ""]])
def test_a_text_that_cannot_be_taken_is_named_as_the_client_names_it(
    world: World, secret: str, orders: list[Order], wrong: Any
) -> None:
    refused = ask(secret, input=wrong)
    assert (refused.status_code, error_of(refused)["param"]) == (400, "input")
    assert not Job.objects.exists()


def test_who_may_not_generate_does_not_embed(
    world: World, token_of: Scopes, orders: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the width is told to them."""
    monkeypatch.setattr(embedding, "width_of", lambda root, digest: pytest.fail("the width was looked up"))
    refused = ask(token_of("finn"), dimensions=1)
    assert (refused.status_code, error_of(refused)["code"]) == (403, "model_gated")
    assert refused["x-should-retry"] == "false"
    unknown = ask(token_of("cleo"), model="nobody/nothing")
    assert (unknown.status_code, error_of(unknown)["code"]) == (404, "model_not_found")
    read_only = ask(token_of("cleo", "jobs:read"))
    assert (read_only.status_code, error_of(read_only)["code"]) == (403, "scope")
    assert orders == []


def test_the_headers_say_what_is_left_also_where_the_quota_refuses(
    world: World, secret: str, orders: list[Order]
) -> None:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(requests_per_minute=1)
    answer = ask(secret)
    assert answer["x-ratelimit-limit-requests"] == "1"
    assert answer["x-ratelimit-remaining-requests"] == "0"
    assert answer["x-request-id"]
    assert int(answer["openai-processing-ms"]) >= 0
    refused = ask(secret)
    assert (refused.status_code, error_of(refused)["code"]) == (429, "requests_per_minute")
    assert refused["x-ratelimit-remaining-requests"] == "0"
    assert int(refused["retry-after"]) > 0


def test_when_one_text_fails_the_others_are_stopped_and_the_answer_says_why(
    world: World, service: redis.Redis, secret: str, orders: list[Order]
) -> None:
    refused = ask(secret, input=["Busy", "Who?", "Hello"])
    assert (refused.status_code, error_of(refused)["code"]) == (429, "overloaded")
    assert refused["x-ratelimit-limit-requests"]
    jobs = {job.prompt: job.pk for job in Job.objects.all()}
    stopped = {prompt for prompt, job_id in jobs.items() if service.exists(cancel_key(job_id))}
    assert "Who?" in stopped
    assert "Busy" not in stopped


def test_an_address_without_a_token_or_with_another_method_is_refused(world: World, secret: str) -> None:
    assert ask("rp_wrong").status_code == 401

    async def get() -> Any:
        return await AsyncClient().get("/v1/embeddings", headers={"Authorization": f"Bearer {secret}"})

    assert asyncio.run(get()).status_code == 405
