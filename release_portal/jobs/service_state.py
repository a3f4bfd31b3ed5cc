"""How the service runs: what waits, which workers live, how fast answers come. Counts, never whose or what."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import redis
from django.db.models import Count, Sum

from inference.contract import ASKED_KEY, LEASE_KEY, QUEUE, queue_of
from release_portal.core.redis_client import redis_client
from release_portal.jobs.models import Job
from release_portal.jobs.workers import live_workers, room_of
from release_portal.registry.models import ModelSize

WINDOW = timedelta(minutes=5)
# Requests whose waiting is looked at: the latest of the window.
MOST_TIMED = 1_000


@dataclass(frozen=True)
class WorkerSeen:
    """What one worker says of itself; None where it says nothing.

    Args:
        loaded: names of the sizes in its memory.
        cache_used, cache_total: tokens of its cache.
        tokens, prompt_tokens: written and read since it started.
        first_median, first_p95: seconds to the first token, over the last minute.
        sizes: names of the sizes that it serves; empty: all.
    """

    name: str
    device: str
    running: int
    waiting: int
    loaded: tuple[str, ...]
    steps: int
    seen_at: datetime
    max_running: int | None = None
    max_waiting: int | None = None
    cache_used: int | None = None
    cache_total: int | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    first_median: float | None = None
    first_p95: float | None = None
    sizes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ServiceState:
    """How the service runs at one moment.

    Args:
        problem: why Redis could not be read; empty when it was.
        queued: messages that no worker has taken yet.
        queued_by_size: size and number of these messages, of sizes that have some.
        room: requests that may be running or waiting.
        open_by_size: size and number of its requests that have not ended.
        ended: finish reason and number, of the window.
        tokens_per_second: completion tokens of what ended in the window, over the window.
        wait_median, wait_p95: seconds from the request to the beginning of its work, of what ended in the window.
    """

    at: datetime
    problem: str
    has_lease: bool
    queued: int
    queued_by_size: tuple[tuple[str, int], ...]
    room: int
    workers: tuple[WorkerSeen, ...]
    open_by_size: tuple[tuple[str, int], ...]
    ended: tuple[tuple[str, int], ...]
    tokens_per_second: float
    wait_median: float | None
    wait_p95: float | None

    @property
    def unfinished(self) -> int:
        """Requests that are running or waiting."""
        return sum(count for _, count in self.open_by_size)


def service_state(*, at: datetime) -> ServiceState:
    """Return how the service runs now; a Redis that does not answer is a part of the answer."""
    recent = Job.objects.filter(ended_at__gt=at - WINDOW, ended_at__lte=at).order_by()
    tokens = recent.aggregate(tokens=Sum("completion_tokens"))["tokens"] or 0
    median, p95 = _waits(recent)
    by_size = Job.objects.open().order_by().values_list("size__slug").annotate(Count("pk")).order_by("size__slug")
    ended = recent.values_list("finish_reason").annotate(Count("pk")).order_by("finish_reason")
    return ServiceState(
        at=at,
        **_from_redis(),
        open_by_size=tuple(by_size),
        ended=tuple(ended),
        tokens_per_second=tokens / WINDOW.total_seconds(),
        wait_median=median,
        wait_p95=p95,
    )


def _from_redis() -> dict[str, Any]:
    try:
        client = redis_client()
        beats, lease, queued = live_workers(client), client.exists(LEASE_KEY), _queued(client)
    except redis.RedisError as error:
        gone = {"problem": type(error).__name__, "has_lease": False, "room": 0, "workers": ()}
        return {**gone, "queued": 0, "queued_by_size": ()}
    sizes = _sizes_by_digest() if beats or queued else {}
    names = {digest: size.name for digest, size in sizes.items()}
    by_size = sorted(
        (sizes[digest].slug if digest in sizes else digest[:12], count) for digest, count in queued.items()
    )
    return {
        "problem": "",
        "has_lease": bool(lease),
        "queued": sum(queued.values()),
        "queued_by_size": tuple(by_size),
        "room": room_of(beats),
        "workers": tuple(_seen(beat, names) for beat in beats),
    }


def _queued(client: redis.Redis) -> dict[str, int]:
    """Count the messages that wait for each weights digest; those of a portal without a queue per size as one more."""
    digests = sorted(client.smembers(ASKED_KEY))
    pipe = client.pipeline(transaction=False)
    for name in (QUEUE, *map(queue_of, digests)):
        pipe.llen(name)
    return {digest: count for digest, count in zip(("any size", *digests), pipe.execute(), strict=True) if count}


def _sizes_by_digest() -> dict[str, ModelSize]:
    sizes = ModelSize.objects.with_weights().prefetch_related("revisions")
    return {size.current_revision.digest: size for size in sizes if size.current_revision}


def _seen(beat: Mapping[str, Any], names: Mapping[str, str]) -> WorkerSeen:
    """Read a heartbeat; one of a worker of another version lacks some of it."""
    return WorkerSeen(
        name=beat["worker_id"],
        device=beat["device"],
        running=beat["running"],
        waiting=beat["waiting"],
        loaded=tuple(names.get(digest, digest[:12]) for digest in beat["loaded"]),
        sizes=tuple(names.get(digest, digest[:12]) for digest in beat.get("sizes") or ()),
        steps=beat["step"],
        seen_at=datetime.fromtimestamp(beat["at"], UTC),
        **{name: beat.get(said) for name, said in SAID.items()},
    )


# What newer workers say as well: our word for it, and the heartbeat's.
SAID = {
    "max_running": "max_running",
    "max_waiting": "max_waiting",
    "cache_used": "cache_used",
    "cache_total": "cache_total",
    "tokens": "tokens",
    "prompt_tokens": "prompt_tokens",
    "first_median": "first_token_median",
    "first_p95": "first_token_p95",
}


def _waits(recent: Any) -> tuple[float | None, float | None]:
    pairs = recent.exclude(started_at=None).order_by("-ended_at").values_list("created_at", "started_at")[:MOST_TIMED]
    seconds = [max(0.0, (started - made).total_seconds()) for made, started in pairs]
    if not seconds:
        return None, None
    return statistics.median(seconds), sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * 0.95))]
