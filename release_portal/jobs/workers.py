"""Which workers are alive, as their heartbeats say, and whether one more request may wait for them."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import redis
from django.db.models import Count

from inference.contract import LEASE_KEY, WORKERS_KEY, worker_key
from release_portal.core.decisions import Decision, allow, too_much
from release_portal.core.errors import Unavailable, error_of
from release_portal.core.redis_client import redis_client
from release_portal.jobs.models import Job

# After how long it is worth asking again when too much waits, where the workers' pace is not known.
USUAL_WAIT = timedelta(seconds=10)
LEAST_WAIT, MOST_WAIT = timedelta(seconds=1), timedelta(seconds=120)
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


def require_service(*digests: str, at: datetime) -> None:
    """Raise unless Redis answers, the lease is held, and workers live and have room to wait; nothing is written.

    Args:
        digests: weights that a worker must serve.

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
    if not all(serving(workers, digest) for digest in digests):
        raise Unavailable("No running worker serves this size.", code="no_worker_for_size", change=change)
    _require_room(workers, digests, at)


def _require_room(workers: Sequence[Mapping[str, Any]], digests: Iterable[str], at: datetime) -> None:
    """Raise when as much is unfinished as all workers take, or as those take that serve one of the sizes."""
    counted = Job.objects.open().order_by().values_list("weights_digest").annotate(Count("pk"))
    unfinished = Counter(dict(counted))
    decisions = [decide_room(workers, unfinished.total(), at)]
    decisions += [decide_room(serving(workers, digest), unfinished[digest], at) for digest in digests]
    for decision in decisions:
        if not decision:
            raise error_of(decision)


def serving(workers: Sequence[Mapping[str, Any]], digest: str) -> list[Mapping[str, Any]]:
    """Return the workers that serve a size; one that names none serves all."""
    return [one for one in workers if digest in (one.get("sizes") or (digest,))]


def room_of(workers: Sequence[Mapping[str, Any]]) -> int:
    """Return how many requests may be running or waiting; a worker that names no bound of its own has the usual one."""
    usual = ((one.get("max_running") or 0) + (one.get("max_waiting") or MOST_WAITING) for one in workers)
    return sum(one.get("takes") or most for one, most in zip(workers, usual, strict=True))


def overload_wait(workers: Sequence[Mapping[str, Any]]) -> timedelta:
    """Return about how long what waits at the workers takes at the pace of their last minute."""
    waiting = sum(one.get("waiting") or 0 for one in workers)
    pace = sum(one.get("ended_per_second") or 0.0 for one in workers)
    if not pace:
        return USUAL_WAIT
    return min(max(timedelta(seconds=math.ceil(waiting / pace)), LEAST_WAIT), MOST_WAIT)


def overload_wait_now() -> timedelta:
    """Return the same for the workers that live now."""
    try:
        return overload_wait(live_workers(redis_client()))
    except redis.RedisError:
        return USUAL_WAIT


def decide_room(workers: Sequence[Mapping[str, Any]], unfinished: int, at: datetime) -> Decision:
    """Decide whether one more request may wait."""
    room = room_of(workers)
    if unfinished < room:
        return allow("room", f"{unfinished:,} requests are running or waiting; {room:,} may.", ROOM_RULE)
    reason = f"{unfinished:,} requests are running or waiting; the workers take {room:,}."
    wait = overload_wait(workers)
    seconds = f"{wait.seconds} seconds" if wait > LEAST_WAIT else "a second"
    change = f"Nothing was stored or charged. Try again in {seconds}."
    return too_much("overloaded", reason, ROOM_RULE, change, at + wait)
