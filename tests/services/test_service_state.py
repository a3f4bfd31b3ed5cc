"""How the service runs, as operators and Prometheus read it: counts, never whose and never content."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.test import Client

from inference.contract import (
    ASKED_KEY,
    LEASE_KEY,
    QUEUE,
    FinishReason,
    Function,
    SamplingSettings,
    Usage,
    WorkerState,
    queue_of,
    worker_key,
)
from release_portal.jobs.models import Job
from release_portal.jobs.service_state import WINDOW, service_state
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.jobs.settle import Outcome, Times, settle
from release_portal.jobs.workers import MOST_WAITING
from tests import fakes
from tests.world import SERVED, World, stored_digest

PROMPT = "A secret beginning"
SECRET = "a-token-for-the-scrape-of-this-test"
Committed = Callable[[], Any]


def submit(world: World, committed: Committed) -> Job:
    request = JobRequest(SERVED, Function.GENERATE, PROMPT, SamplingSettings(max_tokens=8))
    with committed():
        return submit_job(world.actors["cleo"], request, at=world.at)


def end(job: Job, reason: FinishReason, at: datetime, *, after: float, tokens: int) -> None:
    times = Times(job.created_at + timedelta(seconds=after))
    assert settle(Outcome(job.pk, reason, "", Usage(4, tokens)), [], at=at, times=times)


def test_what_waits_what_ended_and_how_fast(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    jobs = [submit(world, committed) for _ in range(4)]
    end(jobs[0], FinishReason.STOP, at + timedelta(seconds=9), after=1, tokens=60)
    end(jobs[1], FinishReason.STOP, at + timedelta(seconds=9), after=3, tokens=30)
    end(jobs[2], FinishReason.ENGINE_FAILED, at + timedelta(seconds=9), after=2, tokens=0)
    state = service_state(at=at + timedelta(seconds=10))
    assert (state.problem, state.has_lease, state.queued, state.room) == ("", True, 4, MOST_WAITING)
    assert state.queued_by_size == ((SERVED, 4),)
    assert (state.open_by_size, state.unfinished) == (((SERVED, 1),), 1)
    assert state.ended == (("engine_failed", 1), ("stop", 2))
    assert state.tokens_per_second == pytest.approx(90 / WINDOW.total_seconds())
    assert (state.wait_median, state.wait_p95) == (2.0, 3.0)
    later = service_state(at=at + timedelta(seconds=10) + WINDOW)
    assert (later.ended, later.tokens_per_second, later.wait_median) == ((), 0.0, None)


def test_a_worker_says_what_it_knows_and_an_older_one_less(world: World, service: redis.Redis, at: datetime) -> None:
    beat = asdict(WorkerState(fakes.WORKER, "cpu", 3, 5, (stored_digest(), "f" * 64), 9, at.timestamp()))
    known = {name: value for name, value in beat.items() if name in OLD}
    service.set(worker_key(fakes.WORKER), json.dumps(known))
    (old,) = service_state(at=at).workers
    assert (old.running, old.waiting, old.loaded, old.seen_at) == (3, 5, (world.size.name, "f" * 12), at)
    assert (old.max_running, old.cache_used, old.first_median) == (None, None, None)
    service.set(worker_key(fakes.WORKER), json.dumps(known | NEW))
    (new,) = service_state(at=at).workers
    assert (new.max_running, new.cache_used, new.first_median) == (16, 700, 0.25)
    assert service_state(at=at).room == 16 + 64


OLD = ("worker_id", "device", "running", "waiting", "loaded", "step", "at")
NEW = {
    "max_running": 16, "max_waiting": 64, "cache_used": 700, "cache_total": 1000, "tokens": 5000,
    "prompt_tokens": 900, "first_token_median": 0.25, "first_token_p95": 0.75,
}  # fmt: skip


def test_what_a_worker_serves_is_named_and_queues_are_counted_by_size(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    submit(world, committed)
    service.lpush(QUEUE, "of a portal without a queue per size")
    service.sadd(ASKED_KEY, "e" * 64, "f" * 64)
    service.lpush(queue_of("f" * 64), "of weights that are gone")
    assert "all sizes" in operator(world).get("/staff/service/").content.decode()
    fakes.announce_worker(service, sizes=(stored_digest(), "e" * 64))
    state = service_state(at=world.at)
    assert state.workers[0].sizes == (world.size.name, "e" * 12)
    assert (state.queued, state.queued_by_size) == (3, (("any size", 1), ("f" * 12, 1), (SERVED, 1)))
    page = operator(world).get("/staff/service/").content.decode()
    assert "all sizes" not in page
    assert "e" * 12 in page


def test_without_redis_the_page_says_so_and_shows_what_the_database_knows(world: World, at: datetime) -> None:
    state = service_state(at=at)
    assert (state.problem, state.workers, state.room) == ("ConnectionError", (), 0)
    assert "Redis does not answer" in operator(world).get("/staff/service/").content.decode()


def operator(world: World) -> Client:
    client = Client()
    client.force_login(world.people["olu"])
    return client


def test_the_operators_page_names_workers_and_sizes_and_nobodys_text(
    world: World, service: redis.Redis, committed: Committed
) -> None:
    submit(world, committed)
    page = operator(world).get("/staff/service/").content.decode()
    assert fakes.WORKER in page
    assert SERVED in page
    assert PROMPT not in page
    assert "cleo" not in page.lower()
    assert "Redis does not answer" not in page
    service.delete(LEASE_KEY)
    assert "No process vouches for the epochs" in operator(world).get("/staff/service/").content.decode()
    service.set(LEASE_KEY, "the test")
    service.delete(worker_key(fakes.WORKER))
    assert "No worker lives" in operator(world).get("/staff/service/").content.decode()


def test_metrics_are_told_to_whoever_brings_the_token_alone(
    world: World, service: redis.Redis, committed: Committed, settings: Any
) -> None:
    submit(world, committed)
    beat = json.loads(service.get(worker_key(fakes.WORKER)) or "")
    service.set(worker_key(fakes.WORKER), json.dumps(beat | NEW))
    assert Client().get("/metrics").status_code == 404
    settings.METRICS_TOKEN = SECRET
    for sent, status in ((None, 401), ("wrong", 401), ("é", 401), (SECRET, 200)):
        answer = Client().get("/metrics", headers={"Authorization": f"Bearer {sent}"} if sent else {})
        assert answer.status_code == status
    text = answer.content.decode()
    for line in (
        f'portal_unfinished{{size="{SERVED}"}} 1.0',
        "portal_queue_messages 1.0",
        f'portal_queue_messages_by_size{{size="{SERVED}"}} 1.0',
        "portal_redis_up 1.0",
        f'portal_worker_running{{worker="{fakes.WORKER}"}} 0.0',
        f'portal_worker_tokens_total{{worker="{fakes.WORKER}"}} 5000.0',
        f'portal_worker_first_token_median_seconds{{worker="{fakes.WORKER}"}} 0.25',
    ):
        assert line in text.splitlines()
    assert PROMPT not in text
