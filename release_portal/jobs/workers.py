"""Which workers are alive, as their heartbeats say."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import redis

from inference.contract import LEASE_KEY, WORKERS_KEY, worker_key
from release_portal.core.errors import Unavailable
from release_portal.core.redis_client import redis_client

# After how long it is worth asking again when too much waits: about what a full worker needs for its front row.
OVERLOAD_WAIT = timedelta(seconds=10)


def live_workers(client: redis.Redis) -> list[dict[str, Any]]:
    """Return the state of each worker whose heartbeat has not ended."""
    ids = sorted(client.smembers(WORKERS_KEY))
    if not ids:
        return []
    beats = client.mget([worker_key(worker_id) for worker_id in ids])
    return [json.loads(beat) for beat in beats if beat]


def require_service() -> None:
    """Raise Unavailable unless Redis answers, the lease is held and a worker lives; nothing is written."""
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
