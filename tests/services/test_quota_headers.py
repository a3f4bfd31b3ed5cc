"""The x-ratelimit headers of /v1: on answers, on streams and on the refusal itself, in step with the stored count."""

from __future__ import annotations

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import AsyncClient

from inference.contract import FinishReason, Piece, Usage
from release_portal.access.models import Grant, UsageDay
from release_portal.accounts.services import create_token
from release_portal.core.clock import now
from release_portal.jobs.models import Job
from release_portal.openai_api.limits import rate_headers
from tests import fakes
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = {
    f"x-ratelimit-{what}-{of}" for what in ("limit", "remaining", "reset") for of in ("requests", "tokens")
}  # fmt: skip
BODY = {"model": SERVED, "prompt": "Hello", "max_tokens": 4}


@pytest.fixture
def secret(world: World) -> str:
    """A token of cleo's that generates."""
    at = now() - timedelta(minutes=1)
    return create_token(world.actor("cleo"), world.people["cleo"], name="t", scopes=("generate",), at=at)[1]


def ask(secret: str, **more: Any) -> Any:
    """Send one completion; the test's worker answers what is queued while the view waits."""

    async def send() -> Any:
        headers = {"Authorization": f"Bearer {secret}"}
        client = AsyncClient(raise_request_exception=False)
        return await client.post("/v1/completions", json.dumps(BODY | more), "application/json", headers=headers)

    return asyncio.run(send())


def quota(response: Any) -> dict[str, str]:
    return {name: response[name] for name in NAMES if name in response}


def test_a_stream_says_what_is_left(world: World, service: redis.Redis, secret: str) -> None:
    answer = ask(secret, stream=True)
    assert answer.status_code == 200
    grant, found = Grant.objects.get(pk=world.grants["cleo"].pk), quota(answer)
    assert set(found) == NAMES
    assert found["x-ratelimit-limit-requests"] == str(grant.requests_per_minute)
    assert found["x-ratelimit-remaining-requests"] == str(grant.requests_per_minute - 1)
    assert found["x-ratelimit-limit-tokens"] == str(grant.tokens_per_day)
    assert found["x-ratelimit-remaining-tokens"] == str(grant.tokens_per_day - len("Hello") - 4)
    assert 0 <= int(found["x-ratelimit-reset-requests"].removesuffix("s")) <= 60
    assert 0 < int(found["x-ratelimit-reset-tokens"].removesuffix("s")) <= 86_400


def test_what_is_settled_comes_back(world: World, service: redis.Redis, secret: str) -> None:
    from release_portal.jobs.settle import Settlement

    ask(secret, stream=True)
    job = Job.objects.get()
    fakes.deliver(service, job.pk, Piece(0, "!", 1, "stop"))
    fakes.finish(service, job.pk, FinishReason.STOP, usage=Usage(5, 1))
    Settlement(service).consume()
    grant = Grant.objects.get(pk=world.grants["cleo"].pk)
    left = rate_headers(Job.objects.get(), now())["x-ratelimit-remaining-tokens"]
    assert left == str(grant.tokens_per_day - 6)


def test_the_refusal_by_the_quota_of_the_day_says_so_too(world: World, service: redis.Redis, secret: str) -> None:
    """Seen to fail with the headers on answers only."""
    grant = Grant.objects.get(pk=world.grants["cleo"].pk)
    UsageDay.objects.create(holder=f"grant:{grant.pk}", day=now().date(), used=grant.tokens_per_day - 3)
    answer = ask(secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "tokens_per_day")
    assert set(quota(answer)) == NAMES
    assert answer["x-ratelimit-remaining-tokens"] == "3"
    assert answer["x-ratelimit-remaining-requests"] == str(grant.requests_per_minute)
    assert int(answer["Retry-After"]) > 0


def test_the_refusal_by_the_minute_says_when_it_is_free(world: World, service: redis.Redis, secret: str) -> None:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(requests_per_minute=1)
    ask(secret, stream=True)
    answer = ask(secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "requests_per_minute")
    assert answer["x-ratelimit-remaining-requests"] == "0"
    assert 0 < int(answer["x-ratelimit-reset-requests"].removesuffix("s")) <= 60


def test_who_may_not_generate_learns_of_no_quota(world: World, service: redis.Redis) -> None:
    at = now() - timedelta(minutes=1)
    _, secret = create_token(world.actor("finn"), world.people["finn"], name="t", scopes=("generate",), at=at)
    answer = ask(secret)
    assert answer.status_code == 403
    assert quota(answer) == {}
