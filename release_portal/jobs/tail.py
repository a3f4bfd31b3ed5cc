"""One connection to Redis reads the streams of everybody who waits in this event loop."""

from __future__ import annotations

import asyncio
import secrets
from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import Context
from weakref import WeakKeyDictionary

import redis

from inference.contract import stream_key
from release_portal.core.redis_client import async_redis
from release_portal.jobs.entries import Entry, streams_of

BLOCK_MS = 1_000
AT_ONCE = 200  # entries of a stream that are read together
# Whoever takes nothing gets nothing more: what is not read stays in Redis.
MOST_KEPT = 400
# How long the connection is kept for the next reader.
IDLE_SECONDS = 5.0
WAKE_SECONDS = 60


class Reader:
    """What one reader has been sent of some requests, and not taken.

    Args:
        places: id of the last entry that the reader has, by request.
    """

    def __init__(self, places: dict[str, str]) -> None:
        self.wanted = {stream_key(job_id): _number(place) for job_id, place in places.items()}
        self._jobs = {stream_key(job_id): job_id for job_id in places}
        self._kept: deque[tuple[str, Entry]] = deque()
        self._news = asyncio.Event()
        self._error: Exception | None = None

    @property
    def is_full(self) -> bool:
        """Whether so much waits to be taken that nothing more is read for it."""
        return len(self._kept) >= MOST_KEPT

    def take_in(self, found: dict[str, list[Entry]]) -> None:
        """Keep, of entries by stream, those that are wanted and new."""
        for key in self.wanted.keys() & found.keys():
            for entry in found[key]:
                if (number := _number(entry[0])) > self.wanted[key]:
                    self.wanted[key] = number
                    self._kept.append((self._jobs[key], entry))
                    self._news.set()

    def fail(self, error: Exception) -> None:
        """Say that nothing more will come."""
        self._error = error
        self._news.set()

    def forget(self, job_id: str) -> None:
        """Want no more of a request."""
        self.wanted.pop(stream_key(job_id), None)

    async def take(self, seconds: float) -> list[tuple[str, Entry]]:
        """Wait for entries, each with its request; empty when none came in time. Raises what the reading met."""
        if not self._kept and self._error is None:
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._news.wait()
        if not self._kept and self._error is not None:
            raise self._error
        found = list(self._kept)
        self._kept.clear()
        return found


class Tail:
    """Reads what is appended to the streams of all readers of one event loop.

    Whoever changes what is to be read wakes it: by an entry in a stream of its own, which it reads along. That is heard
    at once, whether the tail was reading already or is about to. Readers themselves never wait for Redis: a request
    whose client leaves is cancelled, and Python 3.11 can lose that within the connection's own waiting.
    """

    def __init__(self, loop: AbstractEventLoop) -> None:
        self.client = async_redis()
        self._loop = loop
        self._readers: set[Reader] = set()
        self._arrival, self._changed = asyncio.Event(), asyncio.Event()
        self._wake_key, self._woken = f"portal:wake:{secrets.token_hex(8)}", "0"
        # In a context of its own: it outlives the request that began it.
        self._task = loop.create_task(self._run(), context=Context())

    @contextmanager
    def reading(self, places: dict[str, str]) -> Iterator[Reader]:
        """Read requests from these places on for as long as the context lasts."""
        reader = Reader(places)
        self._readers.add(reader)
        self._arrival.set()
        self._changed.set()
        try:
            yield reader
        finally:
            self._readers.discard(reader)

    async def take(self, reader: Reader, seconds: float) -> list[tuple[str, Entry]]:
        """Wait for entries as `Reader.take`; whoever was full is read for again."""
        was_full = reader.is_full
        found = await reader.take(seconds)
        if was_full:
            self._changed.set()
        return found

    async def _run(self) -> None:
        waking = self._loop.create_task(self._wake_for_changes())
        error: Exception = redis.ConnectionError("nothing is read any more")
        try:
            while not _is_cancelled() and await self._has_readers():
                await self._read()
        except (redis.RedisError, OSError) as lost:
            error = lost
        finally:
            self._end(error)
            waking.cancel()
            await self.client.aclose()

    async def _wake_for_changes(self) -> None:
        try:
            while not _is_cancelled():
                await self._changed.wait()
                self._changed.clear()
                pipe = self.client.pipeline(transaction=False)
                pipe.xadd(self._wake_key, {"wake": "1"}, maxlen=1).expire(self._wake_key, WAKE_SECONDS)
                await pipe.execute()
        except (redis.RedisError, OSError) as lost:
            self._end(lost)

    def _end(self, error: Exception) -> None:
        """Tell every reader; whoever comes from here on gets a new tail."""
        if _tails.get(self._loop) is self:
            del _tails[self._loop]
        for reader in self._readers:
            reader.fail(error)

    async def _has_readers(self) -> bool:
        if not self._readers:
            self._arrival.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(IDLE_SECONDS):
                    await self._arrival.wait()
        return bool(self._readers)

    async def _read(self) -> None:
        places = {key: f"{first}-{second}" for key, (first, second) in self._places().items()}
        places[self._wake_key] = self._woken
        found = streams_of(await self.client.xread(places, block=BLOCK_MS, count=AT_ONCE))
        for entry_id, _ in found.pop(self._wake_key, ()):
            self._woken = entry_id
        for reader in self._readers:
            reader.take_in(found)

    def _places(self) -> dict[str, tuple[int, int]]:
        """Where to read on in each stream: where the reader is that has the least of it."""
        places: dict[str, tuple[int, int]] = {}
        for reader in self._readers:
            for key, number in () if reader.is_full else reader.wanted.items():
                places[key] = min(places.get(key, number), number)
        return places


_tails: WeakKeyDictionary[AbstractEventLoop, Tail] = WeakKeyDictionary()


def tail_of_loop() -> Tail:
    """Return the tail of the running event loop: begun with its first reader, ended some time after its last."""
    loop = asyncio.get_running_loop()
    if loop not in _tails:
        _tails[loop] = Tail(loop)
    return _tails[loop]


def _is_cancelled() -> bool:
    """Whether the running task is to end, also where the cancellation was lost on the way."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _number(entry_id: str) -> tuple[int, int]:
    first, _, second = entry_id.partition("-")
    return int(first), int(second or 0)
