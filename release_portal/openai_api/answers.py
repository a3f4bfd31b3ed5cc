"""Answer a call from the streams of its jobs: as a whole, or event by event."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async

from inference.contract import FinishReason
from release_portal.core.clock import now
from release_portal.core.errors import PortalError, TooMuch, Unavailable
from release_portal.jobs.models import Job
from release_portal.jobs.relay import Event, relay_all
from release_portal.jobs.services import request_stop
from release_portal.jobs.settle import collect_pieces
from release_portal.jobs.workers import OVERLOAD_WAIT
from release_portal.openai_api.errors import body_of
from release_portal.openai_api.logprobs import LogprobWriter
from release_portal.openai_api.parameters import Call
from release_portal.openai_api.shapes import Shape


class Answer:
    """The answer to one call; what is not read to its end stops the jobs that still run.

    Args:
        jobs: one for each prompt; choice `number * n + k` is sample k of job `number`.
    """

    def __init__(self, jobs: Sequence[Job], call: Call, shape: Shape) -> None:
        self._jobs, self._call, self._shape = jobs, call, shape
        self._open = {job.pk for job in jobs}
        self._usage: Counter[str] = Counter()
        self._samples = jobs[0].settings.samples
        self._tells_logprobs = jobs[0].settings.logprobs is not None
        self._writers = [LogprobWriter(shape.is_chat) for _ in range(len(jobs) * self._samples)]

    async def whole(self) -> dict[str, Any]:
        """Wait for all ends; raise what the first failure was."""
        pieces: list[list[dict[str, Any]]] = [[] for _ in self._jobs]
        async with aclosing(self._events()) as events:
            async for number, event in events:
                if event.kind == "tokens":
                    pieces[number].extend(event.body)
                elif event.kind == "end" and not event.body["is_success"]:
                    raise failure_of(event)
        samples = [sample for number, of_job in enumerate(pieces) for sample in self._collected(number, of_job)]
        return self._shape.whole(samples, self._usage)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Write the events of a stream; an error is the last of them."""
        for line in self._opening():
            yield line
        async with aclosing(self._events()) as events:
            async for number, event in events:
                for line in self._lines(number, event):
                    yield line
                if event.kind == "end" and not event.body["is_success"]:
                    return
        for line in self._closing():
            yield line

    async def _events(self) -> AsyncGenerator[tuple[int, Event], None]:
        """Yield what the jobs tell, and count what they cost; a client that goes away stops the work."""
        try:
            async with aclosing(relay_all([job.pk for job in self._jobs])) as events:
                async for number, event in events:
                    if event.kind == "end":
                        self._open.discard(self._jobs[number].pk)
                        self._usage.update(event.body["usage"])
                    yield number, event
        finally:
            if self._open:
                await asyncio.shield(_stop(tuple(self._open)))

    def _collected(self, number: int, pieces: list[dict[str, Any]]) -> list[dict[str, Any]]:
        samples = collect_pieces(pieces, self._samples)
        return [{**sample, "logprobs": self._logprobs_of(number, k, pieces)} for k, sample in enumerate(samples)]

    def _logprobs_of(self, number: int, sample: int, pieces: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
        tokens = [token for piece in pieces if piece["sample"] == sample for token in piece.get("logprobs", ())]
        return self._writers[number * self._samples + sample].write(tokens) if self._tells_logprobs else None

    def _lines(self, number: int, event: Event) -> list[bytes]:
        if event.kind == "wait":
            return [b": waiting\n\n"]
        if event.kind == "tokens":
            told = [piece for piece in event.body if piece["text"] or piece["finish"] or piece.get("logprobs")]
            return [self._chunk(number, piece) for piece in told]
        if event.kind == "end" and not event.body["is_success"]:
            return [_line({"error": body_of(failure_of(event))})]
        return []

    def _chunk(self, number: int, piece: dict[str, Any]) -> bytes:
        return _line(
            self._shape.chunk(
                number * self._samples + piece["sample"],
                piece["text"],
                piece["finish"],
                with_usage=self._call.include_usage,
                logprobs=self._logprobs_of(number, piece["sample"], [piece]),
            )
        )

    def _opening(self) -> list[bytes]:
        if not self._shape.is_chat:
            return []
        opened = range(len(self._writers))
        return [_line(self._shape.opening(index, with_usage=self._call.include_usage)) for index in opened]

    def _closing(self) -> list[bytes]:
        usage = [_line(self._shape.usage_chunk(self._usage))] if self._call.include_usage else []
        return [*usage, b"data: [DONE]\n\n"]


def _line(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def failure_of(event: Event) -> PortalError:
    """Return the error that an end without success is."""
    return failure(event.body["reason"], event.body["message"])


def failure(reason: str, message: str) -> PortalError:
    """Return the error that an end for this reason is."""
    if reason == FinishReason.OVERLOADED:
        return TooMuch(message, code=reason, retry_at=now() + OVERLOAD_WAIT)
    error = Unavailable(message, code=reason)
    if reason in (FinishReason.STOPPED, FinishReason.EXPIRED):
        error.status = 403
    elif reason == FinishReason.INVALID:
        error.status = 400
    return error


@sync_to_async
def _stop(job_ids: Sequence[str]) -> None:
    try:
        for job_id in job_ids:
            request_stop(job_id, FinishReason.CANCELLED)
    except Unavailable:
        return  # without Redis nothing is running either
