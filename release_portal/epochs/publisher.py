"""Copy epochs to Redis and hold the lease that says all of them are copied."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping

import redis

from inference.contract import EPOCHS_KEY, LEASE_KEY, LEASE_SECONDS
from release_portal.epochs.models import Epoch

logger = logging.getLogger(__name__)

PERIOD_SECONDS = 0.25
BATCH = 1_000

# A slow writer must never put an older number back: numbers only grow.
_RAISE = """
for i = 1, #ARGV, 2 do
  local now = redis.call('HGET', KEYS[1], ARGV[i])
  if not now or tonumber(now) < tonumber(ARGV[i + 1]) then
    redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  end
end
return 1
"""


def raise_epochs(client: redis.Redis, numbers: Mapping[str, int]) -> None:
    """Write these numbers where Redis holds a smaller one or none."""
    if numbers:
        pairs = [part for key, number in numbers.items() for part in (key, number)]
        client.eval(_RAISE, 1, EPOCHS_KEY, *pairs)


def copy_all(client: redis.Redis) -> int:
    """Copy every epoch to Redis; return how many there are."""
    numbers = dict(Epoch.objects.values_list("key", "number"))
    keys = list(numbers)
    for start in range(0, len(keys), BATCH):
        raise_epochs(client, {key: numbers[key] for key in keys[start : start + BATCH]})
    return len(keys)


def renew_lease(client: redis.Redis, holder: str) -> None:
    """Vouch for LEASE_SECONDS that Redis holds every epoch; call it only after copy_all."""
    client.set(LEASE_KEY, holder, px=int(LEASE_SECONDS * 1000))


def write_marks(client: redis.Redis, marks: Mapping[str, int]) -> None:
    """Write what permits must name beside epochs; it may also go back, as with an older release of the portal."""
    if marks:
        client.hset(EPOCHS_KEY, mapping=dict(marks))


def run(client: redis.Redis, holder: str, stop: threading.Event, marks: Mapping[str, int] | None = None) -> None:
    """Copy and renew until told to stop; when Redis is away, try again, and the lease ends by itself.

    Args:
        marks: what this release of the portal gives permits under, e.g. its access table.
    """
    while not stop.is_set():
        try:
            write_marks(client, marks or {})
            copy_all(client)
            renew_lease(client, holder)
        except redis.RedisError as error:
            logger.warning("epochs not copied: %s", type(error).__name__)
        stop.wait(PERIOD_SECONDS)
