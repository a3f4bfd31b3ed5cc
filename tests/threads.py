"""How often a request goes to a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext
from django.db import connections


class Counting(ThreadPoolExecutor):
    """A thread that counts what it is given."""

    def __init__(self) -> None:
        super().__init__(max_workers=1)
        self.given = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.given += 1
        return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the thread, and the connection to the database that it keeps."""
        super().submit(connections.close_all)
        super().shutdown(wait, cancel_futures=cancel_futures)


def threads_of(send: Callable[..., Coroutine[Any, Any, Any]], *args: Any, **kwargs: Any) -> tuple[Any, int]:
    """Send a request as an asynchronous server would take it; return its answer, and how often it went to a thread."""

    async def ask() -> tuple[Any, int]:
        with Counting() as thread:
            async with ThreadSensitiveContext(executor=thread):
                answer = await send(*args, **kwargs)
                return answer, thread.given

    return asyncio.run(ask())
