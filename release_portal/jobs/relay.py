"""Relay a request's stream to one reader, from any point, to its one end."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import redis
from asgiref.sync import sync_to_async

from inference.contract import READER_SECONDS, FinishReason, StreamKind, reader_key, stream_key
from release_portal.core.redis_client import async_redis
from release_portal.jobs.entries import entries_of
from release_portal.jobs.models import Job
from release_portal.jobs.states import MESSAGES

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
    client = async_redis()
    try:
        async for event in _events(client, job_id, after, keeps_alive):
            yield event
            if event.kind == StreamKind.END:
                return
    except (redis.RedisError, OSError):
        yield _end(FinishReason.BROKER_LOST)
    finally:
        await client.aclose()


async def _events(client: Any, job_id: str, after: str, keeps_alive: bool) -> AsyncIterator[Event]:
    last_event = last_row = time.monotonic()
    last_reader = 0.0
    while True:
        if keeps_alive and time.monotonic() - last_reader > READER_EVERY_SECONDS:
            last_reader = time.monotonic()
            await client.set(reader_key(job_id), "reading", ex=READER_SECONDS, xx=True)
        entries = entries_of(await client.xread({stream_key(job_id): after}, block=BLOCK_MS, count=200))
        for after, fields in entries:
            last_event = time.monotonic()
            yield _event(after, fields)
        if entries:
            continue
        if time.monotonic() - last_row > ROW_CHECK_SECONDS:
            last_row = time.monotonic()
            if end := await _end_of_row(job_id):
                yield end
        if time.monotonic() - last_event > KEEP_ALIVE_SECONDS:
            last_event = time.monotonic()
            yield Event("wait", "", None)


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
def _end_of_row(job_id: str) -> Event | None:
    """The settlement has ended the job, but its stream shows no end: Redis lost it."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None or job.is_open:
        return None
    usage = {"prompt_tokens": job.prompt_tokens, "completion_tokens": job.completion_tokens}
    return _end(FinishReason(job.finish_reason), job.error, usage)
