"""T12, T39: everything that hangs on a grant dies with it, wherever the work is: token, link, stream, queue."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import AsyncClient, Client
from django.urls import reverse

from inference.contract import FinishReason, Function, SamplingSettings, Usage, claim_key
from release_portal.access.models import Grant
from release_portal.access.quota import Limits
from release_portal.access.services import GrantTerms, create_grant, lift_suspension, suspend_grant
from release_portal.accounts.services import create_token
from release_portal.core.actors import system_actor
from release_portal.core.clock import now
from release_portal.core.errors import NotAllowed, NotNow
from release_portal.epochs.services import grant_key, numbers_of
from release_portal.generation.services import generate_again
from release_portal.jobs.models import Job
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.jobs.settle import Outcome, settle
from tests import fakes
from tests.services.working import Worker
from tests.world import SERVED, World

REQUEST = JobRequest(SERVED, Function.GENERATE, "Once upon a time", SamplingSettings(max_tokens=60))
Committed = Callable[[], Any]


def held(world: World, name: str = "cleo") -> Grant:
    return Grant.objects.get(pk=world.grants[name].pk)


def suspend(world: World, committed: Committed) -> None:
    grant = held(world)
    with committed():
        suspend_grant(world.actor("ben"), grant.pk, reason="A case.", expected_version=grant.version, at=now())


def lift(world: World, committed: Committed) -> None:
    grant = held(world)
    with committed():
        lift_suspension(world.actor("olu"), grant.pk, reason="Clear.", expected_version=grant.version, at=now())


@pytest.fixture
def submitted(world: World, worker: Worker, committed: Committed) -> Job:
    """A job of cleo's that waits in the queue."""
    with committed():
        return submit_job(world.actors["cleo"], REQUEST, at=now())


# --- T39 ------------------------------------------------------------------------------------------------------------


def test_T39_the_permit_carries_the_number_of_its_grant_and_the_suspension_ends_that_number(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    key = grant_key(held(world).pk)
    with committed():
        submit_job(world.actors["cleo"], REQUEST, at=now())
    (permit,) = fakes.permits(service)
    assert permit.epochs[key] == numbers_of([key])[key]
    suspend(world, committed)
    assert permit.epochs[key] < numbers_of([key])[key]


def test_T39_a_queued_job_is_dead_and_stays_dead_when_the_grant_comes_back(
    world: World, worker: Worker, submitted: Job, committed: Committed
) -> None:
    """Seen to fail with `advance_epoch` left out of `suspend_grant`."""
    suspend(world, committed)
    lift(world, committed)
    worker.run(submitted).join(20)
    assert (worker.end_of(submitted), worker.tokens_of(submitted), worker.steps) == ("stopped", 0, 0)


@pytest.mark.django_db(transaction=True)
def test_T39_a_token_generates_nothing_and_lists_nothing(world: World, service: redis.Redis) -> None:
    """The token is the account's and lives; what it reaches through the grant is gone at the next request."""
    import asyncio

    at = now() - timedelta(minutes=1)
    _, secret = create_token(world.actor("cleo"), world.people["cleo"], name="t", scopes=("generate",), at=at)
    headers = {"Authorization": f"Bearer {secret}"}

    async def ask() -> tuple[Any, Any]:
        client = AsyncClient(raise_request_exception=False)
        body = {"model": SERVED, "prompt": "Hello", "max_tokens": 4, "stream": True}
        made = await client.post("/v1/completions", body, "application/json", headers=headers)
        return made, await client.get("/v1/models", headers=headers)

    made, listed = asyncio.run(ask())
    assert (made.status_code, len(listed.json()["data"])) == (200, 1)
    grant = held(world)
    suspend_grant(world.actor("ben"), grant.pk, reason="A case.", expected_version=grant.version, at=now())
    before = Job.objects.count()
    made, listed = asyncio.run(ask())
    assert (made.status_code, made.json()["error"]["code"]) == (403, "model_gated")
    assert listed.json()["data"] == []
    assert Job.objects.count() == before


def test_T39_a_permalink_is_read_and_not_run_again(
    world: World, service: redis.Redis, committed: Committed, client_of: Callable[[str], Client]
) -> None:
    with committed():
        job = submit_job(world.actors["cleo"], REQUEST, at=now())
    settle(
        Outcome(job.pk, FinishReason.LENGTH, "", Usage(4, 2)),
        [{"text": "x", "tokens": 2, "finish": "length"}],
        at=now(),
    )
    client, address = client_of("cleo"), reverse("generation-again", args=[job.pk])
    assert client.post(address).status_code == 303, "while the grant is active it runs again"
    suspend(world, committed)
    before = Job.objects.count()
    answer = client.post(address)
    assert answer.status_code == 403
    assert "Your grant is suspended: A case." in answer.content.decode()
    with pytest.raises(NotAllowed):
        generate_again(world.actor("cleo"), job.pk, at=now())
    assert Job.objects.count() == before
    assert client.get(reverse("generation", args=[job.pk])).status_code == 200, "what was made stays readable"


@pytest.mark.django_db(transaction=True)
def test_T39_a_stream_ends_with_the_reason_and_brings_no_token_of_later(world: World, service: redis.Redis) -> None:
    import asyncio

    job = submit_job(world.actors["cleo"], REQUEST, at=now())
    fakes.deliver(service, job.pk, fakes.Piece(0, "before", 1))
    grant = held(world)
    suspend_grant(world.actor("ben"), grant.pk, reason="A case.", expected_version=grant.version, at=now())
    fakes.finish(service, job.pk, FinishReason.STOPPED)

    async def read() -> str:
        client = AsyncClient(raise_request_exception=False)
        await client.aforce_login(world.people["cleo"], backend="django.contrib.auth.backends.ModelBackend")
        answer = await client.get(reverse("generation-stream", args=[job.pk]))
        return "".join([chunk.decode() async for chunk in answer.streaming_content])

    body = asyncio.run(read())
    assert (body.count("event: tokens"), body.count("event: end")) == (1, 1)
    assert "Stopped. Your grant is suspended: A case." in body


# --- T12 ------------------------------------------------------------------------------------------------------------


def test_T12_while_the_weights_are_loading(world: World, worker: Worker, submitted: Job, committed: Committed) -> None:
    """The worker has taken the message and stands before its first step: no token comes out of it."""
    worker.pause_at = 1
    thread = worker.run(submitted)
    assert worker.is_paused.wait(20)
    suspend(world, committed)
    worker.go_on.set()
    thread.join(20)
    assert (worker.end_of(submitted), worker.tokens_of(submitted)) == ("stopped", 0)


def test_T12_when_the_message_is_delivered_again_after_the_worker_died(
    world: World, worker: Worker, submitted: Job, service: redis.Redis, committed: Committed
) -> None:
    suspend(world, committed)
    service.delete(claim_key(submitted.pk))
    for _ in range(2):
        worker.run(submitted).join(20)
    assert (worker.end_of(submitted), worker.tokens_of(submitted), worker.steps) == ("stopped", 0, 0)
    assert len(fakes.ends(service, submitted.pk)) == 1


def test_T12_a_grant_that_has_not_started_never_starts(world: World, committed: Committed) -> None:
    at = now()
    days = timedelta(days=1)
    terms = GrantTerms((world.size,), ("generate",), "x", at + days, at + 9 * days, Limits(10, 10, 10))
    later = create_grant(system_actor("tests"), world.people["finn"], terms, reason="x", at=at)
    suspend_grant(world.actor("ben"), later.pk, reason="A case.", expected_version=later.version, at=at)
    with pytest.raises((NotAllowed, NotNow)) as caught:
        submit_job(world.actor("finn"), REQUEST, at=at + 2 * days)
    assert caught.value.code == "grant_suspended"


def test_T12_a_job_that_follows_another_is_refused_at_its_own_submission(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    with committed():
        first = submit_job(world.actors["cleo"], REQUEST, at=now())
    settle(Outcome(first.pk, FinishReason.LENGTH, "", Usage(4, 2)), [], at=now())
    suspend(world, committed)
    with pytest.raises(NotAllowed):
        generate_again(world.actor("cleo"), first.pk, at=now())
