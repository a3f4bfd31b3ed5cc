"""Measure how a request is admitted within its quota: by the lock of a row, or by one script in Redis.

`python -m benchmarks.quota`, or with QUICK=1. The database and the Redis are made for the run and dropped after it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.governance import own_database

ROUNDS = 5
THREADS = 4
HOLDER = "account:benchmark"


@contextmanager
def own_redis(folder: Path) -> Iterator[str]:
    """Start an empty redis-server with the embedded configuration; yield its address."""
    import redis

    from release_portal.ops.redis_server import find_redis_server, free_port, redis_config

    port = free_port()
    process = subprocess.Popen([find_redis_server(), "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    assert process.stdin is not None
    process.stdin.write(redis_config(port, "benchmark", folder))
    process.stdin.close()
    url = f"redis://:benchmark@127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url) as client:
            _wait_for(client)
        yield url
    finally:
        process.kill()
        process.wait()


def _wait_for(client: Any) -> None:
    import redis

    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            client.ping()
        except redis.RedisError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("redis-server did not start")


def by_row_lock(number: int) -> None:
    """Admit as the portal did before: the day's row is locked, what is used and open is counted, the row is written."""
    from django.db import transaction

    from release_portal.access.models import UsageDay
    from release_portal.access.quota import Limits, decide_quota
    from release_portal.core.clock import now
    from release_portal.jobs.quotas import usage_of

    at = now()
    with transaction.atomic():
        UsageDay.objects.get_or_create(holder=HOLDER, day=at.date())
        row = UsageDay.objects.select_for_update().get(holder=HOLDER, day=at.date())
        assert decide_quota(Limits(10**9, 10**6, 10**6), usage_of(HOLDER, at), 1, at)
        row.used += 1
        row.save(update_fields=["used"])


def by_script(number: int) -> None:
    """Admit as the portal does: one script; confirming and giving back are measured with it."""
    from release_portal.access.quota import Limits
    from release_portal.core.clock import now
    from release_portal.core.redis_client import redis_client
    from release_portal.jobs.quotas import DatabaseBooks
    from release_portal.jobs.reservations import Claim, Reservations

    at, job = now(), f"job-{threading.get_ident()}-{number}"
    reservations = Reservations(redis_client(), DatabaseBooks())
    assert reservations.reserve(Claim(HOLDER, job, 1), Limits(10**9, 10**6, 10**6), at=at)
    reservations.confirm(HOLDER, job, until=at)
    reservations.release(HOLDER, job, charged=1)


def in_threads(act: Callable[[int], None], count: int, threads: int) -> list[float]:
    """Admit `count` requests in each thread; return how long each of them took, in milliseconds."""
    from django.db import connection

    taken: list[float] = []

    def run() -> None:
        for number in range(count):
            began = time.perf_counter()
            act(number)
            taken.append((time.perf_counter() - began) * 1000)
        connection.close()

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return taken


def measure(count: int) -> None:
    """Print the median and the slowest of each variant, in turn within every round."""
    variants = {"the row's lock": by_row_lock, "one script": by_script}
    for threads in (1, THREADS):
        results: dict[str, list[list[float]]] = {name: [] for name in variants}
        for _ in range(ROUNDS):
            for name, act in variants.items():
                results[name].append(in_threads(act, count, threads))
        print(f"\n{threads} thread(s), {count} requests each, {ROUNDS} rounds; milliseconds for each request")
        for name, rounds in results.items():
            medians = sorted(median(one) for one in rounds)
            slowest = max(max(one) for one in rounds)
            spread = f"{median(medians):8.2f} ({medians[0]:.2f} to {medians[-1]:.2f})"
            print(f"  {name:<16} median {spread}, slowest {slowest:.1f}")


def main() -> None:
    """Measure with a database and a Redis of its own."""
    with own_database(), tempfile.TemporaryDirectory(prefix="portal-benchmark-") as folder:
        from django.conf import settings
        from django.db import connection

        with own_redis(Path(folder)) as settings.REDIS_URL:
            print(connection.vendor)
            measure(30 if os.environ.get("QUICK") else 500)


if __name__ == "__main__":
    main()
