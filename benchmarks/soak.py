"""Thirty minutes of mixed load on a whole portal (`make soak`): memory is printed, and nothing may be left over.

Streams that are read to their end, streams that are left, one that is read a byte at a time, several samples, bad
parameters. QUICK=1 runs 20 seconds. It ends with an error when slots, streams or reserved tokens remain.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from benchmarks.serving.through import MODEL, ON_A_GRANT
from inference.contract import OUTCOMES_KEY, WORKERS_KEY, worker_key
from release_portal.ops.redis_server import free_port
from tests.stack.portal import Portal, wait_for

SECONDS, QUICK_SECONDS, BETWEEN = 1_800, 20, 60
CLIENTS = 6
PROCESSES = ("web", "worker", "settle", "redis")
LEFT = (
    "import json; from release_portal.jobs.models import Job; "
    "print(json.dumps([Job.objects.filter(state='queued').count(), "
    "sum(job.reserved_tokens for job in Job.objects.all()), Job.objects.count()]))"
)


@dataclass
class Load:
    """Clients that ask for one thing after another.

    Args:
        address: of the completions.
        token: of a demo account.
    """

    address: str
    token: str
    counts: Counter[str] = field(default_factory=Counter)
    is_over: threading.Event = field(default_factory=threading.Event)

    def client(self, number: int) -> None:
        """Ask until told to stop."""
        draw = random.Random(number)
        acts: list[Callable[[random.Random], None]] = [self._read, self._read, self._leave, self._dribble, self._wrong]
        while not self.is_over.is_set():
            draw.choice(acts)(draw)

    def _read(self, draw: random.Random) -> None:
        with self._stream(draw, n=draw.choice((1, 1, 3))) as answer:
            is_done = any(line == "data: [DONE]" for line in answer.iter_lines())
        self.counts["read to the end" if is_done else "ended with an error"] += 1

    def _leave(self, draw: random.Random) -> None:
        with self._stream(draw, max_tokens=200) as answer:
            next(answer.iter_lines(), None)
        self.counts["left after the first line"] += 1

    def _dribble(self, draw: random.Random) -> None:
        with self._stream(draw) as answer:
            for _ in answer.iter_raw(chunk_size=1):
                if self.is_over.wait(0.002):
                    break
        self.counts["read a byte at a time"] += 1

    def _wrong(self, draw: random.Random) -> None:
        wrong = draw.choice(({"top_p": 7}, {"nonsense": 1}, {"max_tokens": 10**6}, {"prompt": ""}))
        answer = httpx.post(self.address, json=self._body(draw) | wrong, headers=self._headers, timeout=120)
        self.counts[f"bad parameters: {answer.status_code}"] += 1

    def _stream(self, draw: random.Random, **more: Any) -> Any:
        body = self._body(draw) | {"stream": True} | more
        return httpx.stream("POST", self.address, json=body, headers=self._headers, timeout=120)

    @property
    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"}

    def _body(self, draw: random.Random) -> dict[str, Any]:
        prompt = "The river rose in spring. " * draw.randint(1, 20)
        return {"model": MODEL, "prompt": prompt, "max_tokens": draw.randint(4, 48), "seed": draw.randrange(1000)}


def main() -> None:
    """Run, print memory each minute, look for what is left."""
    seconds = QUICK_SECONDS if os.environ.get("QUICK") else SECONDS
    with tempfile.TemporaryDirectory(prefix="portal-soak-") as name:
        portal = Portal(Path(name) / "home", free_port())
        portal.start()
        try:
            assert int(portal.ask(ON_A_GRANT)) >= 1, "the demo's researcher has no grant to widen"
            left = _soak(portal, seconds)
        finally:
            portal.stop()
    if any(left.values()):
        sys.exit(f"left over: {left}")
    print("nothing is left over")


def _soak(portal: Portal, seconds: float) -> dict[str, int]:
    load = Load(f"{portal.url}/v1/completions", portal.token("cleo"))
    threads = [threading.Thread(target=load.client, args=(number,), daemon=True) for number in range(CLIENTS)]
    for thread in threads:
        thread.start()
    began = time.monotonic()
    while (spent := time.monotonic() - began) < seconds:
        print(f"{spent:6.0f} s  " + "  ".join(f"{who} {_memory(portal.pid(who))} MB" for who in PROCESSES), flush=True)
        time.sleep(min(BETWEEN, max(seconds - spent, 0)))
    load.is_over.set()
    for thread in threads:
        thread.join(150)
    print(f"{seconds:6.0f} s  " + "  ".join(f"{who} {_memory(portal.pid(who))} MB" for who in PROCESSES))
    print(dict(sorted(load.counts.items())))
    return _left(portal, threads)


def _left(portal: Portal, threads: list[threading.Thread]) -> dict[str, int]:
    """What still stands once everything had time to settle."""
    wait_for(lambda: json.loads(portal.ask(LEFT).splitlines()[-1])[:2] == [0, 0], "the settlement of all", 120)
    with portal.redis() as client:
        wait_for(lambda: _running(client) == 0, "empty slots", 30)
        return {
            "clients that hang": sum(thread.is_alive() for thread in threads),
            "sequences in slots": _running(client),
            "orders": sum(1 for _ in client.scan_iter("order:*")),
            "outcomes": int(client.xlen(OUTCOMES_KEY)),
        }


def _running(client: Any) -> int:
    states = [client.get(worker_key(worker)) for worker in client.smembers(WORKERS_KEY)]
    return sum(
        sum(json.loads(state)[part] for part in ("running", "waiting", "cache_used")) for state in states if state
    )


def _memory(pid: int) -> int:
    """Resident memory, MB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
