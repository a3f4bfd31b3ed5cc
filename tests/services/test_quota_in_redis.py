"""Quota from submission to settlement: Redis admits, the database remembers, and each survives the other."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.db import connection, transaction

from inference.contract import EPOCHS_KEY, POLICY_KEY, FinishReason, Function, SamplingSettings, Usage
from release_portal.access.models import Grant, UsageDay
from release_portal.access.policy import POLICY_MARK
from release_portal.core.errors import TooMuch, Unavailable
from release_portal.epochs.publisher import run, write_marks
from release_portal.jobs import quotas, services
from release_portal.jobs.models import Job
from release_portal.jobs.quotas import DatabaseBooks, usage_of
from release_portal.jobs.reservations import HELD
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.jobs.settle import GRACE, Outcome, Settlement, settle
from tests import fakes
from tests.conftest import RedisServer, wait_until
from tests.services.test_jobs import in_threads
from tests.services.working import Worker
from tests.world import SERVED, World

PROMPT = "Once upon a time"
REQUEST = JobRequest(SERVED, Function.GENERATE, PROMPT, SamplingSettings(max_tokens=8, samples=2, seed=7))
ASKED = len(PROMPT) + 2 * 8
Committed = Callable[[], Any]


def limit(world: World, **limits: int) -> None:
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(**limits)


def holder(world: World) -> str:
    return f"grant:{world.grants['cleo'].pk}"


def submit(world: World, at: datetime) -> Job:
    return submit_job(world.actors["cleo"], REQUEST, at=at)


def in_redis(client: redis.Redis, world: World) -> dict[str, str]:
    """The open reservations as Redis holds them."""
    found: dict[str, str] = client.hgetall(f"quota:{{{holder(world)}}}:open")
    return found


# --- Never more than the limit --------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("limits", "admitted"),
    [({"tokens_per_day": 3 * ASKED + 1}, 3), ({"concurrent": 2}, 2), ({"requests_per_minute": 4}, 4)],
    ids=["tokens a day", "at once", "requests a minute"],
)
def test_of_eight_requests_at_once_never_more_than_the_limit_are_admitted(
    world: World, service: redis.Redis, at: datetime, limits: dict[str, int], admitted: int
) -> None:
    """Redis is empty when they come, so each of them would fill it."""
    limit(world, **({"tokens_per_day": 10**6, "concurrent": 99, "requests_per_minute": 99} | limits))
    results = in_threads(8, lambda: submit(world, at))
    names = sorted(type(one).__name__ for one in results)
    assert names == ["Job"] * admitted + ["TooMuch"] * (8 - admitted)
    assert len(in_redis(service, world)) == Job.objects.count() == len(fakes.queued_messages(service)) == admitted


@pytest.mark.django_db(transaction=True)
def test_while_redis_is_emptied_again_and_again_no_more_is_queued_than_the_day_holds(
    world: World, service: redis.Redis, at: datetime
) -> None:
    """A request whose reservation is lost before it is queued is not queued, and costs nothing."""
    limit(world, tokens_per_day=4 * ASKED, concurrent=99, requests_per_minute=999)
    stop = threading.Event()

    def forget() -> None:
        while not stop.wait(0.01):
            for key in service.scan_iter("quota:*"):
                service.delete(key)

    thread = threading.Thread(target=forget)
    thread.start()
    try:
        results = [one for _ in range(4) for one in in_threads(4, lambda: submit(world, at))]
    finally:
        stop.set()
        thread.join()
    queued = fakes.queued_messages(service)
    assert len(queued) <= 4
    assert {type(one) for one in results} <= {Job, TooMuch, Unavailable}
    assert sum(isinstance(one, Job) for one in results) == len(queued)


# --- Faults ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_request_whose_reservation_redis_lost_before_the_commit_is_not_queued(
    world: World, service: redis.Redis, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = services._write_job

    def and_redis_restarts(*args: Any) -> Job:
        service.delete(*service.scan_iter("quota:*"))
        return write(*args)

    monkeypatch.setattr(services, "_write_job", and_redis_restarts)
    with pytest.raises(Unavailable) as caught:
        submit(world, at)
    assert (caught.value.status, caught.value.code) == (503, "broker_down")
    assert fakes.queued_messages(service) == []
    settlement = Settlement(service)
    assert settlement.end_lost_jobs(at=at + GRACE + timedelta(seconds=1)) == 1
    settlement.consume()
    assert (Job.objects.get().finish_reason, Job.objects.get().charged_tokens) == ("broker_lost", 0)


def test_what_was_set_aside_for_a_job_that_could_not_be_written_is_free_at_once(
    world: World, service: redis.Redis, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without the `forget` in `reserved`."""
    limit(world, tokens_per_day=ASKED, requests_per_minute=1)

    def broken(*args: Any) -> Job:
        raise ZeroDivisionError

    with monkeypatch.context() as patched:
        patched.setattr(services, "_write_job", broken)
        with pytest.raises(ZeroDivisionError):
            submit(world, at)
    assert in_redis(service, world) == {}
    assert submit(world, at)


@pytest.mark.django_db(transaction=True)
def test_what_a_caller_rolls_back_blocks_nobody_for_longer_than_a_minute(
    world: World, service: redis.Redis, at: datetime
) -> None:
    limit(world, tokens_per_day=ASKED)
    with transaction.atomic():
        submit(world, at)
        transaction.set_rollback(True)
    assert not Job.objects.exists()
    with pytest.raises(TooMuch):
        submit(world, at + HELD - timedelta(seconds=1))
    assert submit(world, at + HELD)


def test_without_redis_nothing_is_admitted(
    world: World, service: redis.Redis, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at the service and the reservation it goes away."""

    def away(*args: Any, **more: Any) -> None:
        raise redis.ConnectionError("away")

    monkeypatch.setattr(quotas.Reservations, "reserve", away)
    with pytest.raises(Unavailable) as caught:
        submit(world, at)
    assert (caught.value.status, caught.value.code) == (503, "broker_down")
    assert not Job.objects.exists()


# --- Settling -------------------------------------------------------------------------------------------------------


def test_an_end_is_charged_once_in_both_places_however_often_it_is_told(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    with committed():
        job = submit(world, at)
    outcome = Outcome(job.pk, FinishReason.LENGTH, "", Usage(16, 5))
    for _ in range(3):
        with committed():
            settle(outcome, [], at=at)
    assert UsageDay.objects.get().used == 21
    assert service.hget(f"quota:{{{holder(world)}}}:state", f"used:{at.date().isoformat()}") == "21"
    assert in_redis(service, world) == {}


def test_a_settlement_killed_before_it_told_redis_tells_it_when_the_outcome_comes_again(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    """Seen to fail with nothing done for a job that had ended before."""
    with committed():
        job = submit(world, at)
    outcome = Outcome(job.pk, FinishReason.LENGTH, "", Usage(16, 5))
    settle(outcome, [], at=at)  # outside of `committed`: what was to follow the commit never comes
    assert len(in_redis(service, world)) == 1
    with committed():
        assert settle(outcome, [], at=at) is False
    assert in_redis(service, world) == {}
    assert UsageDay.objects.get().used == 21


def test_a_job_reserved_before_midnight_settles_to_its_day_in_both_places(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    limit(world, tokens_per_day=ASKED)
    evening = at.replace(hour=23, minute=59, second=59, microsecond=0)
    Grant.objects.filter(pk=world.grants["cleo"].pk).update(ends_at=at + timedelta(days=9))
    with committed():
        yesterdays = submit(world, evening)
    morning = evening + timedelta(seconds=1)
    with committed():
        submit(world, morning)
        settle(Outcome(yesterdays.pk, FinishReason.LENGTH, "", Usage(16, 9)), [], at=morning)
    assert list(UsageDay.objects.values_list("day", "used")) == [(evening.date(), 25)]
    assert usage_of(holder(world), morning).tokens == 0
    with pytest.raises(TooMuch) as caught:
        submit(world, morning)
    assert caught.value.code == "tokens_per_day"
    assert caught.value.retry_at == evening + timedelta(days=1, seconds=1)


def test_what_the_database_would_fill_redis_with_is_what_redis_held(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    """Used, open and recent, by one statement for the first two."""
    with committed():
        jobs = [submit(world, at) for _ in range(3)]
        settle(Outcome(jobs[0].pk, FinishReason.LENGTH, "", Usage(16, 5)), [], at=at)
    numbers = DatabaseBooks().numbers(holder(world), at)
    day = at.date().isoformat()
    assert numbers.used == {day: 21}
    assert numbers.open == {job.pk: (day, ASKED) for job in jobs[1:]}
    assert set(numbers.recent) == {job.pk for job in jobs}
    held = in_redis(service, world)
    assert {job: entry.rsplit(" ", 2)[0] for job, entry in held.items()} == {
        job: f"{of} {tokens}" for job, (of, tokens) in numbers.open.items()
    }
    assert DatabaseBooks().fates([jobs[0].pk, "job-unknown"])[jobs[0].pk].charged == 21
    assert DatabaseBooks().fates(["job-unknown"])["job-unknown"].is_unknown


def test_what_is_shown_counts_what_is_open_of_today_and_the_requests_of_the_last_minute(
    world: World, service: redis.Redis, committed: Committed, at: datetime
) -> None:
    assert usage_of(holder(world), at) == quotas.Usage(tokens=0, reserved=0, recent=(), running=0)
    night = at.replace(hour=0, minute=0, second=10, microsecond=0)
    with committed():
        yesterdays = submit(world, night - timedelta(seconds=20))
        ended, second = submit(world, night - timedelta(seconds=5)), submit(world, night)
        settle(Outcome(ended.pk, FinishReason.LENGTH, "", Usage(16, 5)), [], at=night)
    Job.objects.filter(pk=yesterdays.pk).update(created_at=night - timedelta(minutes=2))
    found = usage_of(holder(world), night)
    assert (found.tokens, found.reserved, found.running) == (21, ASKED, 2), "yesterday's is open, and counts on its day"
    assert found.recent == (night - timedelta(seconds=5),) * 2, "how many, and since when"
    assert second.reserved_tokens == ASKED


@pytest.mark.django_db(transaction=True)
def test_settlements_and_requests_at_once_leave_both_places_equal(
    world: World, service: redis.Redis, at: datetime
) -> None:
    limit(world, tokens_per_day=10**6, concurrent=99, requests_per_minute=999)
    jobs = [submit(world, at) for _ in range(6)]
    waiting = iter(jobs)
    lock = threading.Lock()

    def end_one_and_ask_one() -> None:
        with lock:
            job = next(waiting)
        settle(Outcome(job.pk, FinishReason.LENGTH, "", Usage(16, 5)), [], at=at)
        submit(world, at)

    assert in_threads(6, end_one_and_ask_one) == [None] * 6
    assert UsageDay.objects.get().used == 6 * 21
    assert service.hget(f"quota:{{{holder(world)}}}:state", f"used:{at.date().isoformat()}") == str(6 * 21)
    assert set(in_redis(service, world)) == set(Job.objects.open().values_list("pk", flat=True))


# --- The access table of a permit -----------------------------------------------------------------------------------


def test_a_queued_job_that_another_access_table_permitted_never_starts(
    world: World, worker: Worker, committed: Committed, at: datetime
) -> None:
    """The portal was upgraded while it waited. Seen to fail with the mark left out of the permit."""
    with committed():
        job = submit(world, at)
    write_marks(worker.client, {POLICY_KEY: POLICY_MARK + 1})
    worker.run(job).join(20)
    assert worker.end_of(job) == FinishReason.STOPPED
    assert worker.tokens_of(job) == 0


def test_a_running_job_stops_before_its_next_token_when_the_access_table_changes(
    world: World, worker: Worker, committed: Committed, at: datetime
) -> None:
    with committed():
        job = submit(world, at)
    worker.pause_at = 3
    thread = worker.run(job)
    assert worker.is_paused.wait(20)
    before = worker.tokens_of(job)
    write_marks(worker.client, {POLICY_KEY: POLICY_MARK + 1})
    worker.go_on.set()
    thread.join(20)
    assert worker.end_of(job) == FinishReason.STOPPED
    assert worker.tokens_of(job) == before


@pytest.mark.django_db(transaction=True)
def test_the_process_that_holds_the_lease_says_which_table_counts_also_when_an_older_one_returns(
    redis_server: RedisServer,
) -> None:
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.flushall()
        for mark in (POLICY_MARK, 1):
            stop = threading.Event()
            thread = threading.Thread(target=_publish, args=(client, stop, mark))
            thread.start()
            try:
                wait_until(lambda mark=mark: client.hget(EPOCHS_KEY, POLICY_KEY) == str(mark))
            finally:
                stop.set()
                thread.join()


def _publish(client: redis.Redis, stop: threading.Event, mark: int) -> None:
    run(client, "holder", stop, {POLICY_KEY: mark})
    connection.close()
