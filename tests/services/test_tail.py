"""One connection reads the streams of everybody who waits in an event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import redis

from inference.contract import stream_key
from release_portal.jobs import tail
from release_portal.jobs.tail import Reader, tail_of_loop

pytestmark = pytest.mark.django_db

SOON = 5.0  # what comes at once comes within this; a wait that is over comes later


@pytest.fixture(autouse=True)
def _waits_long(service: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is heard is heard because somebody said it, not because a wait was over."""
    monkeypatch.setattr(tail, "BLOCK_MS", 7_000)  # a tail that is about to read when its loop ends goes on for so long
    monkeypatch.setattr(tail, "IDLE_SECONDS", 60.0)


def write(service: redis.Redis, job_id: str, *texts: str) -> list[str]:
    return [str(service.xadd(stream_key(job_id), {"text": text})) for text in texts]


def run(act: Callable[[], Awaitable[Any]]) -> Any:
    async def acted() -> Any:
        answer = await act()
        await asyncio.sleep(0.05)  # until the tail waits: a cancellation just before that is lost, and heard of later
        return answer

    return asyncio.run(acted())


async def texts_of(reader: Reader, count: int) -> list[tuple[str, str]]:
    """Take so many entries; each as its request and what it says."""
    found: list[tuple[str, str]] = []
    while len(found) < count:
        more = await tail_of_loop().take(reader, SOON)
        assert more, f"only {found} came"
        found += [(job_id, fields["text"]) for job_id, (_, fields) in more]
    return found


def test_a_reader_gets_what_was_there_and_what_comes(service: redis.Redis) -> None:
    write(service, "job-a", "one")

    async def act() -> list[tuple[str, str]]:
        with tail_of_loop().reading({"job-a": "0"}) as reader:
            first = await texts_of(reader, 1)
            write(service, "job-a", "two")
            return first + await texts_of(reader, 1)

    assert run(act) == [("job-a", "one"), ("job-a", "two")]


def test_a_reader_who_comes_while_the_tail_waits_is_heard_at_once(service: redis.Redis) -> None:
    """Seen to fail without a wake in `reading`."""

    async def act() -> list[tuple[str, str]]:
        with tail_of_loop().reading({"job-a": "0"}) as first:
            assert await first.take(0.1) == []  # the tail waits for job-a alone
            write(service, "job-b", "hello")
            with tail_of_loop().reading({"job-b": "0"}) as second:
                return await texts_of(second, 1)

    assert run(act) == [("job-b", "hello")]


def test_two_readers_of_one_request_each_go_on_from_their_own_place(service: redis.Redis) -> None:
    ids = write(service, "job-a", "one", "two", "three")

    async def act() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        with (
            tail_of_loop().reading({"job-a": ids[1]}) as late,
            tail_of_loop().reading({"job-a": "0"}) as early,
        ):
            both = await texts_of(late, 1), await texts_of(early, 3)
            write(service, "job-a", "four")
            return both[0] + await texts_of(late, 1), both[1] + await texts_of(early, 1)

    late, early = run(act)
    assert [text for _, text in late] == ["three", "four"]
    assert [text for _, text in early] == ["one", "two", "three", "four"]


def test_one_connection_reads_for_all(service: redis.Redis) -> None:
    def readers() -> int:
        return sum(client["cmd"] == "xread" for client in service.client_list())

    async def act() -> int:
        jobs = [f"job-{number}" for number in range(8)]
        contexts = [tail_of_loop().reading({job: "0"}) for job in jobs]
        opened = [context.__enter__() for context in contexts]
        for job in jobs:
            write(service, job, "hello")
        for reader in opened:
            await texts_of(reader, 1)
        count = await asyncio.to_thread(readers)
        for context in contexts:
            context.__exit__(None, None, None)
        return count

    before = readers()
    assert run(act) - before == 1


def test_whoever_takes_nothing_gets_no_more_than_is_kept_for_one_and_loses_nothing(
    service: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "AT_ONCE", 2)
    monkeypatch.setattr(tail, "MOST_KEPT", 4)
    write(service, "job-a", *(str(number) for number in range(20)))

    async def act() -> tuple[int, list[tuple[str, str]]]:
        with tail_of_loop().reading({"job-a": "0"}) as slow, tail_of_loop().reading({"job-b": "0"}) as other:
            for number in range(10):  # the tail comes round ten times meanwhile
                write(service, "job-b", str(number))
                await texts_of(other, 1)
            return len(slow._kept), await texts_of(slow, 20)

    kept, found = run(act)
    assert kept == 4
    assert [text for _, text in found] == [str(number) for number in range(20)]


def test_a_request_that_is_forgotten_is_read_no_more(service: redis.Redis) -> None:
    async def act() -> list[tuple[str, str]]:
        with tail_of_loop().reading({"job-a": "0", "job-b": "0"}) as reader:
            reader.forget("job-a")
            write(service, "job-a", "unheard")
            write(service, "job-b", "heard")
            return await texts_of(reader, 1)

    assert run(act) == [("job-b", "heard")]


def test_when_redis_is_lost_every_reader_is_told_and_the_next_begins_anew(
    service: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act() -> list[tuple[str, str]]:
        lost = tail_of_loop()

        async def fail(*args: Any, **options: Any) -> None:
            raise redis.ConnectionError("gone")

        with lost.reading({"job-a": "0"}) as first, lost.reading({"job-b": "0"}) as second:
            await texts_of_nothing(first)
            monkeypatch.setattr(lost.client, "xread", fail)
            lost._changed.set()
            for reader in (first, second):
                with pytest.raises(redis.ConnectionError):
                    await reader.take(SOON)
        write(service, "job-a", "hello")
        assert tail_of_loop() is not lost
        with tail_of_loop().reading({"job-a": "0"}) as third:
            return await texts_of(third, 1)

    assert run(act) == [("job-a", "hello")]


async def texts_of_nothing(reader: Reader) -> None:
    assert await reader.take(0.1) == []


def test_a_tail_that_nobody_reads_from_ends_and_a_later_reader_gets_another(
    service: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tail, "BLOCK_MS", 10)
    monkeypatch.setattr(tail, "IDLE_SECONDS", 0.01)
    write(service, "job-a", "hello")

    async def act() -> bool:
        first = tail_of_loop()
        with first.reading({"job-a": "0"}) as reader:
            await texts_of(reader, 1)
        await asyncio.wait_for(first._task, SOON)
        with tail_of_loop().reading({"job-a": "0"}) as reader:
            await texts_of(reader, 1)
        return tail_of_loop() is not first

    assert run(act)
