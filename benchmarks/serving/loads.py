"""How long a size takes until it can serve: the first time in a process, and again from a store that is known."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

from benchmarks.serving.outcome import Spread
from inference.backends import runtime
from inference.backends.loader import StoreLoader
from inference.backends.weights import WeightsStore
from inference.contract import manifest_bytes, weights_digest
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf


def measure(folder: Path, store: Path, rounds: int) -> tuple[float, Spread]:
    """Load a size, put it away and load it again, every file checked against its digest each time.

    Returns:
        Seconds of the first load, and of the later ones.
    """
    runtime.prepare()
    digest = _stored(folder, store)
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


def _stored(folder: Path, store: Path) -> str:
    """Lay a model folder out as a store, by links."""
    (store / "blobs").mkdir(parents=True)
    (store / "manifests").mkdir()
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        (store / "blobs" / sha256).symlink_to(path)
        files[path.name] = {"sha256": sha256, "size": path.stat().st_size}
    digest = weights_digest(files)
    (store / "manifests" / f"{digest}.json").write_bytes(manifest_bytes(json.loads(json.dumps(files))))
    return digest
