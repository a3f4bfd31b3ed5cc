"""Lanes: threads in which requests wait for the database, each with a connection that it keeps.

Django gives every request a thread of its own, which opens a connection and closes it again, and holds it for as long
as a stream lasts. Here their number is bounded, and so is that of connections to the database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from asgiref.sync import ThreadSensitiveContext

from release_portal.core.body_limit import Application, Receive, Send

T = TypeVar("T")


class Lane(ThreadPoolExecutor):
    """One thread, which knows how much it still has to do."""

    def __init__(self, number: int) -> None:
        super().__init__(max_workers=1, thread_name_prefix=f"lane-{number}")
        self.waiting = 0  # calls that it has been given and has not finished
        self.requests = 0  # that are under way on it, also those that only stream
        self._counting = threading.Lock()

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Take a call, as every executor does."""
        with self._counting:
            self.waiting += 1
        future = super().submit(fn, *args, **kwargs)
        future.add_done_callback(self._note_done)
        return future

    def _note_done(self, _: Future[Any]) -> None:
        with self._counting:
            self.waiting -= 1


def in_lanes(application: Application, count: int) -> Application:
    """Return the application with each request on one lane: the one that has the least to do when it comes."""
    lanes = [Lane(number) for number in range(count)]

    async def laned(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        lane = min(lanes, key=lambda one: (one.waiting, one.requests))
        lane.requests += 1
        try:
            async with ThreadSensitiveContext(executor=lane):
                await application(scope, receive, send)
        finally:
            lane.requests -= 1

    return laned
