"""Epochs: owned by the database, only ever raised in Redis, vouched for by a lease."""

from __future__ import annotations

import logging
import threading

import pytest
import redis
from django.db import transaction

from inference.contract import EPOCHS_KEY, LEASE_KEY, LEASE_SECONDS
from release_portal.epochs import publisher
from release_portal.epochs.models import Epoch
from release_portal.epochs.publisher import copy_all, raise_epochs, renew_lease, run
from release_portal.epochs.services import advance_epoch, grant_key, numbers_of, size_key, start_epoch
from tests.conftest import RedisServer, wait_until
from tests.world import World


def test_every_size_and_every_grant_of_the_demo_has_its_epoch(world: World) -> None:
    from release_portal.access.models import Grant
    from release_portal.registry.models import ModelSize

    wanted = [size_key(slug) for slug in ModelSize.objects.values_list("slug", flat=True)]
    wanted += [grant_key(pk) for pk in Grant.objects.values_list("pk", flat=True)]
    assert set(numbers_of(wanted)) == set(wanted)
    assert numbers_of([grant_key(world.grants["cleo"].pk)]) == {grant_key(world.grants["cleo"].pk): 1}
    assert numbers_of([grant_key(world.grants["eve"].pk)])[grant_key(world.grants["eve"].pk)] == 2, "was suspended"


def test_an_epoch_starts_once_and_advances_by_one(db: None) -> None:
    start_epoch("size:a")
    start_epoch("size:a")
    assert numbers_of(["size:a"]) == {"size:a": 1}
    advance_epoch("size:a")
    advance_epoch("size:a")
    start_epoch("size:a")
    assert numbers_of(["size:a"]) == {"size:a": 3}
    advance_epoch("size:never-started")
    assert numbers_of(["size:never-started"]) == {"size:never-started": 2}, "no permit can name a number before it"


def test_a_key_without_an_epoch_is_a_fault_and_not_a_zero(db: None) -> None:
    with pytest.raises(LookupError, match="size:b"):
        numbers_of(["size:b"])


def test_numbers_in_redis_only_ever_grow(portal_redis: redis.Redis) -> None:
    """A slow writer must not put an older number back. Seen to fail with the comparison in the script removed."""
    raise_epochs(portal_redis, {"size:a": 5, "grant:b": 1})
    raise_epochs(portal_redis, {"size:a": 4, "grant:b": 2, "size:c": 9})
    raise_epochs(portal_redis, {})
    assert portal_redis.hgetall(EPOCHS_KEY) == {"size:a": "5", "grant:b": "2", "size:c": "9"}
    raise_epochs(portal_redis, {"size:c": 10})  # ten is more than nine, as a number
    assert portal_redis.hget(EPOCHS_KEY, "size:c") == "10"


def test_copying_brings_every_number_over_in_batches(
    db: None, portal_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "BATCH", 3)
    Epoch.objects.all().delete()
    Epoch.objects.bulk_create([Epoch(key=f"grant:{number}", number=number + 1) for number in range(8)])
    assert copy_all(portal_redis) == 8
    assert portal_redis.hgetall(EPOCHS_KEY) == {f"grant:{number}": str(number + 1) for number in range(8)}


def test_the_lease_ends_by_itself(portal_redis: redis.Redis) -> None:
    renew_lease(portal_redis, "holder")
    assert portal_redis.get(LEASE_KEY) == "holder"
    assert 0 < portal_redis.pttl(LEASE_KEY) <= LEASE_SECONDS * 1000


@pytest.mark.django_db(transaction=True)
def test_redis_learns_of_a_raised_epoch_with_the_commit_and_not_before(portal_redis: redis.Redis) -> None:
    start_epoch("size:a")
    assert portal_redis.hget(EPOCHS_KEY, "size:a") == "1"
    with transaction.atomic():
        advance_epoch("size:a")
        assert portal_redis.hget(EPOCHS_KEY, "size:a") == "1"
    assert portal_redis.hget(EPOCHS_KEY, "size:a") == "2"
    with transaction.atomic():
        advance_epoch("size:a")
        transaction.set_rollback(True)
    assert portal_redis.hget(EPOCHS_KEY, "size:a") == "2"


@pytest.mark.django_db(transaction=True)
def test_T12_with_redis_away_the_act_stands_and_the_copier_tells_redis_later(
    caplog: pytest.LogCaptureFixture, redis_server: RedisServer
) -> None:
    """The settings point to an address where nobody listens."""
    start_epoch("size:a")
    with caplog.at_level(logging.WARNING):
        advance_epoch("size:a")
    assert numbers_of(["size:a"]) == {"size:a": 2}
    assert "not published at once" in caplog.text
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        client.flushall()
        copy_all(client)
        assert client.hget(EPOCHS_KEY, "size:a") == "2"


def test_the_process_copies_first_and_vouches_then(portal_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """No lease without a copy. Seen to fail with the two lines in `run` swapped."""
    calls, stop = [], threading.Event()
    monkeypatch.setattr(publisher, "copy_all", lambda client: calls.append("copied"))
    monkeypatch.setattr(publisher, "renew_lease", lambda client, holder: (calls.append("vouched"), stop.set()))
    run(portal_redis, "holder", stop)
    assert calls == ["copied", "vouched"]


def test_without_a_copy_there_is_no_lease_and_the_process_goes_on(
    portal_redis: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, tries = threading.Event(), []

    def broken(client: redis.Redis) -> int:
        tries.append(1)
        if len(tries) == 3:
            stop.set()
        raise redis.ConnectionError("away")

    monkeypatch.setattr(publisher, "copy_all", broken)
    monkeypatch.setattr(publisher, "PERIOD_SECONDS", 0.001)
    run(portal_redis, "holder", stop)
    assert len(tries) == 3
    assert not portal_redis.exists(LEASE_KEY)


@pytest.mark.django_db(transaction=True)
def test_when_redis_was_emptied_everything_is_copied_again(world: World, portal_redis: redis.Redis) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=_run_and_close, args=(portal_redis, stop))
    thread.start()
    try:
        wait_until(lambda: portal_redis.exists(LEASE_KEY))
        portal_redis.flushall()
        wait_until(lambda: portal_redis.exists(LEASE_KEY))
        assert portal_redis.hlen(EPOCHS_KEY) == Epoch.objects.count()
    finally:
        stop.set()
        thread.join()


def _run_and_close(client: redis.Redis, stop: threading.Event) -> None:
    from django.db import connection

    run(client, "holder", stop)
    connection.close()
