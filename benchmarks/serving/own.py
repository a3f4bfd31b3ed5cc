"""The engine of this project as a contender."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path

import torch

from benchmarks.serving.workload import Ask
from inference.backends import runtime
from inference.backends.loader import FolderLoader
from inference.backends.slots import SlotBackend
from inference.contract import Function, Order, Permit, SamplingSettings
from inference.engine import loop
from inference.engine.outlet import End, Entry, Verdict
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf


class Outlet:
    """Keeps texts and times."""

    def __init__(self) -> None:
        self.firsts: dict[str, float] = {}
        self.texts: dict[str, str] = {}

    def publish(self, step: int, entries: list[Entry]) -> list[Verdict]:
        """Take every piece."""
        now = time.perf_counter()
        for entry in entries:
            for piece in entry.pieces:
                self.firsts.setdefault(entry.request.job_id, now)
                self.texts[entry.request.job_id] = self.texts.get(entry.request.job_id, "") + piece.text
        return [Verdict() for _ in entries]

    def finish(self, ends: Iterable[End]) -> None:
        """Nothing is written anywhere."""


class Engine:
    """The engine alone: no portal, no broker."""

    dtype = torch.float32

    def __init__(self, folder: str) -> None:
        runtime.prepare()
        self._outlet = Outlet()
        loader = FolderLoader(Path(folder), partial(SlotBackend, dtype=self.dtype))
        shelf = Shelf(loader, lambda cache: Scheduler(64, 256, cache_tokens=cache), budget=sys.maxsize)
        self._engine = loop.Engine(shelf, self._outlet)
        shelf.borrow("").backend.end_ids = frozenset()  # type: ignore[misc]  # an end of text ends nothing here
        self._engine.start()
        self._runs = 0

    def prepare(self, asks: Sequence[Ask]) -> None:
        """Give each run names of its own."""
        self._runs += 1

    def run(self, asks: Sequence[Ask]) -> tuple[list[float], int, list[str]]:
        """Submit each at its time, wait for all."""
        began, requests = time.perf_counter(), []
        for number, ask in enumerate(asks):
            _sleep_until(began + ask.at)
            requests.append(self._engine.submit(*_order(f"{self._runs}-{number}", ask)))
        for request in requests:
            request.done.wait()
        names = [request.job_id for request in requests]
        firsts = [self._outlet.firsts[name] - began - ask.at for name, ask in zip(names, asks, strict=True)]
        tokens = sum(request.usage.completion_tokens for request in requests)
        return firsts, tokens, [self._outlet.texts[name] for name in names]


class EngineBf16(Engine):
    """The same in bf16, without the promise about seeds."""

    dtype = torch.bfloat16


def _order(name: str, ask: Ask) -> tuple[Permit, Order]:
    settings = SamplingSettings(max_tokens=ask.new_tokens, temperature=0.0)
    order = Order(Function.GENERATE, ask.prompt, settings)
    return Permit(name, "", "", order.function.value, float("inf"), {}), order


def _sleep_until(moment: float) -> None:
    if (rest := moment - time.perf_counter()) > 0:
        threading.Event().wait(rest)
