"""How long a size takes until it can serve: the first time in a process, and again from a store that is known."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from benchmarks.serving.outcome import Spread
from benchmarks.serving.store import linked_store
from inference.backends import runtime
from inference.backends.loader import StoreLoader
from inference.backends.weights import WeightsStore
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf


def measure(folder: Path, store: Path, rounds: int) -> tuple[float, Spread]:
    """Load a size, put it away and load it again, every file checked against its digest each time.

    Returns:
        Seconds of the first load, and of the later ones.
    """
    runtime.prepare()
    digest = linked_store(folder, store)
    shelf = Shelf(
        StoreLoader(WeightsStore(store)), lambda cache: Scheduler(64, 256, cache_tokens=cache), budget=sys.maxsize
    )
    seconds = [_once(shelf, digest) for _ in range(rounds + 1)]
    return seconds[0], Spread.of(seconds[1:])


def _once(shelf: Shelf, digest: str) -> float:
    began = time.perf_counter()
    lane = shelf.borrow(digest)
    seconds = time.perf_counter() - began
    shelf.give_back(lane)
    shelf.discard(lane)
    return seconds
