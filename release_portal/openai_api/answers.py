"""Answer a call from the streams of its jobs: as a whole, or event by event."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from typing import Any

from asgiref.sync import sync_to_async

from inference.contract import FinishReason
from release_portal.core.clock import now
from release_portal.core.errors import PortalError, TooMuch, Unavailable
from release_portal.core.one_line import one_line
from release_portal.jobs.models import Job
from release_portal.jobs.relay import Event
from release_portal.jobs.settle import collect_pieces
from release_portal.jobs.workers import overload_wait_now
from release_portal.openai_api.errors import body_of
from release_portal.openai_api.logprobs import LogprobWriter
from release_portal.openai_api.parameters import Call
from release_portal.openai_api.shapes import Shape
from release_portal.openai_api.work import Work


class Answer:
    """The answer to one call; what is not read to its end stops the jobs that still run.

    Args:
        jobs: one for each prompt; choice `number * n + k` is sample k of job `number`.
    """

    def __init__(self, jobs: Sequence[Job], call: Call, shape: Shape) -> None:
        self._jobs, self._call, self._shape = jobs, call, shape
        self._work = Work(jobs)
        self._samples = jobs[0].settings.samples
        self._tells_logprobs = jobs[0].settings.logprobs is not None
        self._writers = [LogprobWriter(shape.is_chat) for _ in range(len(jobs) * self._samples)]

    @property
    def is_stream(self) -> bool:
        """Whether the client wants it event by event."""
        return self._call.is_stream

    async def whole(self) -> dict[str, Any]:
        """Wait for all ends; raise what the first failure was."""
        pieces: list[list[dict[str, Any]]] = [[] for _ in self._jobs]
        async with aclosing(self._work.events()) as events:
            async for number, event in events:
                if event.kind == "tokens":
                    pieces[number].extend(event.body)
                elif event.kind == "end" and not event.body["is_success"]:
                    raise await failure_of(event)
        samples = [sample for number, of_job in enumerate(pieces) for sample in self._collected(number, of_job)]
        return self._shape.whole(samples, self._work.usage)

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Write the events of a stream; an error is the last of them."""
        for line in self._opening():
            yield line
        async with aclosing(self._work.events()) as events:
            async for number, event in events:
                for line in self._lines(number, event):
                    yield line
                if event.kind == "end" and not event.body["is_success"]:
                    yield _line({"error": body_of(await failure_of(event))})
                    return
        for line in self._closing():
            yield line

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
        usage = [_line(self._shape.usage_chunk(self._work.usage))] if self._call.include_usage else []
        return [*usage, b"data: [DONE]\n\n"]


def _line(data: dict[str, Any]) -> bytes:
    return f"data: {one_line(data)}\n\n".encode()


async def failure_of(event: Event) -> PortalError:
    """Return the error that an end without success is; how long to wait is asked of Redis, outside of the loop."""
    return await sync_to_async(failure, thread_sensitive=False)(event.body["reason"], event.body["message"])


def failure(reason: str, message: str) -> PortalError:
    """Return the error that an end for this reason is."""
    if reason == FinishReason.OVERLOADED:
        return TooMuch(message, code=reason, retry_at=now() + overload_wait_now())
    error = Unavailable(message, code=reason)
    if reason in (FinishReason.STOPPED, FinishReason.EXPIRED):
        error.status = 403
    elif reason == FinishReason.INVALID:
        error.status = 400
    return error
