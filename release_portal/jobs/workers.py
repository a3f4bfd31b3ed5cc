"""Which workers are alive, as their heartbeats say, and whether one more request may wait for them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis

from inference.contract import LEASE_KEY, WORKERS_KEY, worker_key
from release_portal.core.decisions import Decision, allow, too_much
from release_portal.core.errors import Unavailable, error_of
from release_portal.core.redis_client import redis_client
from release_portal.jobs.models import Job

# After how long it is worth asking again when too much waits: about what a full worker needs for its front row.
OVERLOAD_WAIT = timedelta(seconds=10)
MOST_WAITING = 256
PRECISIONS = {"float32": "fp32", "bfloat16": "bf16"}
ROOM_RULE = "workers: bounded queue"


def live_workers(client: redis.Redis) -> list[dict[str, Any]]:
    """Return the state of each worker whose heartbeat has not ended."""
    ids = sorted(client.smembers(WORKERS_KEY))
    if not ids:
        return []
    beats = client.mget([worker_key(worker_id) for worker_id in ids])
    return [json.loads(beat) for beat in beats if beat]


def precision_of(workers: Sequence[Mapping[str, Any]]) -> str:
    """Return in which numbers the workers compute: fp32, bf16, or mixed where nobody can know which one answers.

    Seeds are a promise in fp32 alone.
    """
    found = {one.get("precision") or "float32" for one in workers}
    return PRECISIONS.get(found.pop(), "mixed") if len(found) == 1 else "mixed"


def precision_now() -> str:
    """Return in which numbers the workers compute that live now; mixed where none can be asked."""
    try:
        return precision_of(live_workers(redis_client()))
    except redis.RedisError:
        return "mixed"


def require_service(*, at: datetime) -> None:
    """Raise unless Redis answers, the lease is held, a worker lives and there is room to wait; nothing is written.

    Raises:
        Unavailable: a part does not answer.
        TooMuch: more waits than the workers take; waiting without a bound would help nobody.
    """
    change = "Nothing was stored or charged. Try again in a minute; operators see the cause at /readyz."
    try:
        client = redis_client()
        has_lease, workers = bool(client.exists(LEASE_KEY)), live_workers(client)
    except redis.RedisError as error:
        raise Unavailable("The portal cannot reach its queue.", code="broker_down", change=change) from error
    if not has_lease:
        raise Unavailable("The portal cannot give permits right now.", code="no_lease", change=change)
    if not workers:
        raise Unavailable("No worker is running right now.", code="no_worker", change=change)
    decision = decide_room(workers, Job.objects.open().count(), at)
    if not decision:
        raise error_of(decision)


def room_of(workers: Sequence[Mapping[str, Any]]) -> int:
    """Return how many requests may be running or waiting."""
    return sum((one.get("max_running") or 0) + (one.get("max_waiting") or MOST_WAITING) for one in workers)


def decide_room(workers: Sequence[Mapping[str, Any]], unfinished: int, at: datetime) -> Decision:
    """Decide whether one more request may wait; a worker that names no bound of its own has the usual one."""
    room = room_of(workers)
    if unfinished < room:
        return allow("room", f"{unfinished:,} requests are running or waiting; {room:,} may.", ROOM_RULE)
    reason = f"{unfinished:,} requests are running or waiting; the workers take {room:,}."
    change = f"Nothing was stored or charged. Try again in {OVERLOAD_WAIT.seconds} seconds."
    return too_much("overloaded", reason, ROOM_RULE, change, at + OVERLOAD_WAIT)
