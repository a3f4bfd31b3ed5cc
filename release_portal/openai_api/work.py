"""The jobs of one call while they run: what they tell, what they cost, and their end when nobody reads on."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from inference.contract import FinishReason
from release_portal.core.errors import Unavailable
from release_portal.jobs.models import Job
from release_portal.jobs.relay import Event, relay_all
from release_portal.jobs.services import request_stop


class Work:
    """Jobs that somebody waits for; what is not read to its end stops those that still run.

    Args:
        jobs: in the order of the call.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._jobs = jobs
        self._open = {job.pk for job in jobs}
        self.usage: Counter[str] = Counter()

    async def events(self) -> AsyncGenerator[tuple[int, Event], None]:
        """Yield what the jobs tell, each with its job's number, and count what they cost."""
        try:
            async with aclosing(relay_all([job.pk for job in self._jobs])) as events:
                async for number, event in events:
                    if event.kind == "end":
                        self._open.discard(self._jobs[number].pk)
                        self.usage.update(event.body["usage"])
                    yield number, event
        finally:
            if self._open:
                # Not in the request's own thread: it goes on when the request does not.
                await asyncio.shield(asyncio.to_thread(_stop, tuple(self._open)))


def _stop(job_ids: Sequence[str]) -> None:
    try:
        for job_id in job_ids:
            request_stop(job_id, FinishReason.CANCELLED)
    except Unavailable:
        return  # without Redis nothing is running either
