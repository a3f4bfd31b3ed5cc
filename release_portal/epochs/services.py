"""Write epochs: start one, advance one; Redis learns of it when the transaction has committed."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import redis
from django.db import transaction
from django.db.models import F

from release_portal.core.redis_client import redis_client
from release_portal.epochs.models import Epoch
from release_portal.epochs.publisher import raise_epochs

logger = logging.getLogger(__name__)


def size_key(slug: str) -> str:
    """Return the epoch key of a model size."""
    return f"size:{slug}"


def grant_key(grant_id: str) -> str:
    """Return the epoch key of a grant."""
    return f"grant:{grant_id}"


def seat_key(seat_id: int) -> str:
    """Return the epoch key of one person's seat on a grant."""
    return f"seat:{seat_id}"


def start_epoch(key: str) -> None:
    """Give a new size, grant or seat its first epoch."""
    Epoch.objects.get_or_create(key=key)
    _publish_on_commit(key)


def advance_epoch(key: str) -> None:
    """End every permit that names the present number of this key."""
    if not Epoch.objects.filter(key=key).update(number=F("number") + 1):
        Epoch.objects.create(key=key, number=2)
    _publish_on_commit(key)


def numbers_of(keys: Iterable[str]) -> dict[str, int]:
    """Return the present number of each key; raises LookupError for a key that was never started."""
    wanted = list(keys)
    found = dict(Epoch.objects.filter(key__in=wanted).values_list("key", "number"))
    if missing := set(wanted) - set(found):
        raise LookupError(f"no epoch for {', '.join(sorted(missing))}")
    return found


def _publish_on_commit(key: str) -> None:
    transaction.on_commit(lambda: _publish(key))


def _publish(key: str) -> None:
    """Tell Redis at once; when it cannot be told, the epoch process will, or its lease ends."""
    try:
        raise_epochs(redis_client(), numbers_of([key]))
    except redis.RedisError as error:
        logger.warning("epoch %s not published at once: %s", key, type(error).__name__)
