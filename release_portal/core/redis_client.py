"""Connections to Redis, one per process and event loop."""

from __future__ import annotations

from functools import lru_cache

import redis
import redis.asyncio
from django.conf import settings

# A dead Redis must be noticed within a moment: requests fail, they do not hang.
TIMEOUT_SECONDS = 5.0


@lru_cache(maxsize=1)
def redis_client() -> redis.Redis:
    """Return the process-wide Redis client; strings come back decoded."""
    return redis.Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS,
        socket_connect_timeout=TIMEOUT_SECONDS,
    )


def async_redis() -> redis.asyncio.Redis:
    """Return a client for the running event loop; the caller closes it."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        decode_responses=True,
        socket_timeout=TIMEOUT_SECONDS * 3,
        socket_connect_timeout=TIMEOUT_SECONDS,
    )
