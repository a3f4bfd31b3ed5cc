"""Relay a request's stream to one reader, from any point, to its one end."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import redis
from asgiref.sync import sync_to_async

from inference.contract import READER_SECONDS, FinishReason, StreamKind, reader_key
from release_portal.jobs.models import Job
from release_portal.jobs.states import MESSAGES
from release_portal.jobs.tail import Reader, Tail, tail_of_loop

BLOCK_MS = 1_000
KEEP_ALIVE_SECONDS = 10.0
READER_EVERY_SECONDS = 5.0
# How long the row may have ended before a stream that shows no end is given up.
ROW_CHECK_SECONDS = 2.0


@dataclass(frozen=True)
class Event:
    """One thing to tell a reader: `started`, `tokens`, `result`, `end` or `wait`.

    Args:
        kind: as above; `wait` says only that the connection lives.
        id: entry id, from which a reader can resume; empty for what is not in the stream.
        body: the pieces, the result, or reason, error and usage of the end.
    """

    kind: str
    id: str
    body: Any


async def relay(job_id: str, *, after: str = "0", keeps_alive: bool = False) -> AsyncIterator[Event]:
    """Yield the events of a request after an entry id; the last is its end, whatever happens to Redis or worker.

    Args:
        after: id of the last entry that the reader has; "0" for the beginning.
        keeps_alive: tell the worker that somebody reads (playground).
    """
    async with aclosing(_relayed({job_id: after}, keeps_alive=keeps_alive)) as events:
        async for _, event in events:
            yield event


async def relay_all(job_ids: Sequence[str]) -> AsyncGenerator[tuple[int, Event], None]:
    """Yield the events of several requests as they come, each with its request's number, until all have ended."""
    numbers = {job_id: number for number, job_id in enumerate(job_ids)}
    async with aclosing(_relayed(dict.fromkeys(job_ids, "0"))) as events:
        async for job_id, event in events:
            yield numbers[job_id], event


async def _relayed(places: dict[str, str], *, keeps_alive: bool = False) -> AsyncGenerator[tuple[str, Event], None]:
    """Read requests from their places; a request leaves `places` with its end."""
    tail = tail_of_loop()
    try:
        with tail.reading(places) as reader:
            async with aclosing(_events(tail, reader, places, keeps_alive)) as events:
                async for job_id, event in events:
                    if event.kind == StreamKind.END:
                        del places[job_id]
                        reader.forget(job_id)
                    yield job_id, event
    except (redis.RedisError, OSError):
        for job_id in places:
            yield job_id, _end(FinishReason.BROKER_LOST)


async def _events(
    tail: Tail, reader: Reader, places: dict[str, str], keeps_alive: bool
) -> AsyncGenerator[tuple[str, Event], None]:
    last_event = last_row = time.monotonic()
    last_reader = 0.0
    while places:
        if keeps_alive and time.monotonic() - last_reader > READER_EVERY_SECONDS:
            last_reader = time.monotonic()
            for job_id in places:
                await tail.client.set(reader_key(job_id), "reading", ex=READER_SECONDS, xx=True)
        found = [one for one in await tail.take(reader, BLOCK_MS / 1_000) if one[0] in places]
        for job_id, (entry_id, fields) in found:
            last_event = time.monotonic()
            yield job_id, _event(entry_id, fields)
        if found:
            continue
        if time.monotonic() - last_row > ROW_CHECK_SECONDS:
            last_row = time.monotonic()
            for job_id, end in await _ends_of_rows(list(places)):
                yield job_id, end
        if time.monotonic() - last_event > KEEP_ALIVE_SECONDS:
            last_event = time.monotonic()
            for job_id in tuple(places)[:1]:
                yield job_id, Event("wait", "", None)


def _event(entry_id: str, fields: dict[str, str]) -> Event:
    kind = fields["kind"]
    if kind == StreamKind.END:
        return _end(FinishReason(fields["reason"]), fields.get("error", ""), json.loads(fields["usage"]), entry_id)
    body = json.loads(fields["body"]) if "body" in fields else {"step": fields.get("step")}
    return Event(kind, entry_id, body)


def _end(reason: FinishReason, error: str = "", usage: Any = None, entry_id: str = "") -> Event:
    body = {
        "reason": reason.value,
        "message": error or MESSAGES[reason],
        "is_success": reason.is_success,
        "usage": usage or {"prompt_tokens": 0, "completion_tokens": 0},
    }
    return Event(StreamKind.END, entry_id, body)


@sync_to_async
def _ends_of_rows(job_ids: Sequence[str]) -> list[tuple[str, Event]]:
    """The settlement has ended these jobs, but their streams show no end: Redis lost it."""
    return [(job.pk, _end_of_row(job)) for job in Job.objects.filter(pk__in=job_ids) if not job.is_open]


def _end_of_row(job: Job) -> Event:
    usage = {"prompt_tokens": job.prompt_tokens, "completion_tokens": job.completion_tokens}
    return _end(FinishReason(job.finish_reason), job.error, usage)
