"""Requests share a bounded number of threads; each takes the one that has the least to do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import sync_to_async

from release_portal.core.lanes import in_lanes


async def serving(application: Any, act: Callable[[], Any]) -> Any:
    """Serve a request that does something in its thread; return what that gave."""
    scope = {"type": "http", "act": act}
    await application(scope, None, None)
    return scope["answer"]


async def inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
    scope["answer"] = await sync_to_async(scope["act"])()


def thread_name() -> str:
    return threading.current_thread().name


@contextmanager
def held() -> Iterator[tuple[Callable[[], str], threading.Event]]:
    """A call that ends only when it is let go, and its name of a thread."""
    gate = threading.Event()

    def wait() -> str:
        assert gate.wait(30)
        return thread_name()

    try:
        yield wait, gate
    finally:
        gate.set()


def test_there_are_no_more_threads_than_lanes() -> None:
    application = in_lanes(inner, 3)

    async def act() -> list[str]:
        return await asyncio.gather(*(serving(application, thread_name) for _ in range(40)))

    assert {name.rpartition("_")[0] for name in asyncio.run(act())} == {"lane-0", "lane-1", "lane-2"}


def test_a_request_stays_in_one_thread_and_threads_are_kept() -> None:
    """A connection to the database belongs to its thread."""
    application = in_lanes(twice, 1)
    names: list[str] = []

    async def act() -> None:
        for _ in range(3):
            scope: dict[str, Any] = {"type": "http", "names": names}
            await application(scope, None, None)

    asyncio.run(act())
    assert len(names) == 6
    assert len(set(names)) == 1


async def twice(scope: dict[str, Any], receive: Any, send: Any) -> None:
    for _ in range(2):
        scope["names"].append(await sync_to_async(thread_name)())


def test_a_request_does_not_wait_behind_a_slow_one_while_another_thread_is_free() -> None:
    """Seen to fail with the lanes taken in turn."""
    application = in_lanes(inner, 2)

    async def act() -> tuple[str, list[str]]:
        with held() as (wait, gate):
            slow = asyncio.create_task(serving(application, wait))
            await asyncio.sleep(0.01)
            quick = [await asyncio.wait_for(serving(application, thread_name), 30) for _ in range(4)]
            gate.set()
            return await slow, quick

    slow, quick = asyncio.run(act())
    assert slow not in quick
    assert len(set(quick)) == 1


def test_streams_that_ask_nothing_are_spread_over_the_threads() -> None:
    """So that what they write at their ends does not come to one of them."""
    started: list[str] = []

    async def stream(scope: dict[str, Any], receive: Any, send: Any) -> None:
        started.append(await sync_to_async(thread_name)())
        await scope["over"].wait()

    async def act() -> None:
        application, over = in_lanes(stream, 4), asyncio.Event()
        tasks = []
        for number in range(1, 9):
            tasks.append(asyncio.create_task(application({"type": "http", "over": over}, None, None)))
            while len(started) < number:
                await asyncio.sleep(0)
        over.set()
        await asyncio.gather(*tasks)

    asyncio.run(act())
    assert sorted(started.count(name) for name in set(started)) == [2, 2, 2, 2]


def test_a_request_that_fails_leaves_its_lane_as_free_as_before() -> None:
    async def act() -> set[str]:
        application = in_lanes(inner, 2)

        def fail() -> None:
            raise ValueError

        for _ in range(5):
            try:
                await serving(application, fail)
            except ValueError:
                continue
        with held() as (wait, gate):
            both = [asyncio.create_task(serving(application, wait)) for _ in range(2)]
            await asyncio.sleep(0.01)
            gate.set()
            return set(await asyncio.gather(*both))

    assert len(asyncio.run(act())) == 2
