"""Model sizes in memory: loaded on demand, put away when idle and room is needed."""

from __future__ import annotations

import gc
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from inference.engine.backend import Backend, Loader, LoadError
from inference.engine.figures import Capacity
from inference.engine.scheduler import Scheduler

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class Lane:
    """One loaded model size with its own schedule; steps of lanes alternate."""

    digest: str
    backend: Backend
    scheduler: Scheduler
    borrowers: int = 0


class Shelf:
    """Keeps lanes within a budget of memory; the least recently borrowed idle one goes first.

    Loading happens in the thread that asks, so that the engine goes on with other sizes meanwhile.

    Args:
        loader: brings backends.
        new_scheduler: makes the scheduler of a new lane, given the tokens of cache that its backend has room for.
        budget: bytes to keep in memory: weights, and the cache of what runs.
        patience: seconds to wait until borrowed sizes make room.
    """

    def __init__(
        self, loader: Loader, new_scheduler: Callable[[int], Scheduler], budget: int, patience: float = 60.0
    ) -> None:
        self._loader = loader
        self._new_scheduler = new_scheduler
        self._budget = budget
        self._patience = patience
        self._lanes: dict[str, Lane] = {}  # least recently borrowed first
        self._changed = threading.Condition()
        self._loading = threading.Lock()  # two loads at once would need the memory of both

    @property
    def loaded(self) -> tuple[str, ...]:
        """Digests in memory."""
        with self._changed:
            return tuple(self._lanes)

    def capacity(self) -> Capacity:
        """What the sizes in memory have room for together."""
        with self._changed:
            schedulers = [lane.scheduler for lane in self._lanes.values()]
        return Capacity(
            max_running=sum(each.room.slots for each in schedulers),
            max_waiting=sum(each.max_waiting for each in schedulers),
            max_waiting_of_share=max((each.max_waiting_of_share for each in schedulers), default=0),
            cache_used=sum(each.cache_used for each in schedulers),
            cache_total=sum(each.room.cache for each in schedulers),
        )

    def borrow(self, digest: str) -> Lane:
        """Return the lane of a size and keep it until it is given back; raises LoadError."""
        if lane := self._take(digest):
            return lane
        with self._loading:
            return self._take(digest) or self._load(digest)

    def give_back(self, lane: Lane) -> None:
        """End one borrowing."""
        with self._changed:
            lane.borrowers -= 1
            self._changed.notify_all()

    def discard(self, lane: Lane) -> None:
        """Take a broken lane off the shelf; the next borrower loads it anew."""
        with self._changed:
            if self._lanes.get(lane.digest) is lane:
                del self._lanes[lane.digest]
                self._changed.notify_all()

    def _take(self, digest: str) -> Lane | None:
        with self._changed:
            lane = self._lanes.pop(digest, None)
            if lane is not None:
                self._lanes[digest] = lane
                lane.borrowers += 1
            return lane

    def _load(self, digest: str) -> Lane:
        self._make_room(self._loader.weigh(digest))
        backend = self._load_apart(digest)
        lane = Lane(digest, backend, self._new_scheduler(backend.cache_tokens), borrowers=1)
        with self._changed:
            self._lanes[digest] = lane
        logger.info("loaded %s", digest)
        return lane

    def _load_apart(self, digest: str) -> Backend:
        """Load in a thread that ends.

        A thread that has computed keeps helping threads of its own. With those of the engine they would be more than
        there are processors, and helpers that are too many sleep between any two operations: measured on two cores, a
        step of 16 sequences then takes 1.2 times as long.
        """
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="loading") as pool:
            return pool.submit(self._loader.load, digest).result()

    def _make_room(self, needed: int) -> None:
        if needed > self._budget:
            raise LoadError(f"this size needs {needed} bytes of memory, the worker keeps at most {self._budget}")
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(needed), self._patience):
                raise LoadError("no room in memory: the other sizes are in use")

    def _has_room(self, needed: int) -> bool:
        for digest in [lane.digest for lane in self._lanes.values() if lane.borrowers == 0]:
            if self._used() + needed <= self._budget:
                break
            del self._lanes[digest]
            gc.collect()  # modules and their parameters form cycles; the room is needed now
            logger.info("put away %s", digest)
        return self._used() + needed <= self._budget

    def _used(self) -> int:
        return sum(lane.backend.memory_bytes for lane in self._lanes.values())
