"""Which sequences run in the next step of one model size: prefill some, decode all. No torch."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from inference.engine.request import Request, Sequence, State


class QueueFullError(Exception):
    """The waiting queue is at its bound."""


@dataclass(frozen=True)
class Chunk:
    """Prompt tokens start..stop (end excluded) of a sequence, to be put into the cache in one step."""

    sequence: Sequence
    start: int
    stop: int

    @property
    def is_last(self) -> bool:
        """Whether the prompt is complete with this chunk."""
        return self.stop == len(self.sequence.request.prompt_ids)


@dataclass(frozen=True)
class Plan:
    """Work of one step."""

    prefill: tuple[Chunk, ...]
    decode: tuple[Sequence, ...]

    def __bool__(self) -> bool:
        return bool(self.prefill or self.decode)


class Scheduler:
    """First come, first served.

    Args:
        max_running: sequences that may hold a slot at once.
        prefill_tokens: prompt tokens per step; also the length of a chunk, counted from the prompt's own start, so
            that how a prompt is cut never depends on its company.
        max_waiting: sequences that may wait.
    """

    def __init__(self, max_running: int, prefill_tokens: int, max_waiting: int = 1024) -> None:
        self.max_running = max_running
        self.prefill_tokens = prefill_tokens
        self.max_waiting = max_waiting
        self._waiting: deque[Sequence] = deque()
        self._running: deque[Sequence] = deque()

    @property
    def waiting(self) -> tuple[Sequence, ...]:
        """Sequences without a slot, next first."""
        return tuple(self._waiting)

    @property
    def running(self) -> tuple[Sequence, ...]:
        """Sequences with a slot, oldest first."""
        return tuple(self._running)

    def add(self, request: Request) -> None:
        """Let the samples of a request wait; raises QueueFullError when they do not all fit."""
        if len(self._waiting) + len(request.samples) > self.max_waiting:
            raise QueueFullError(f"more than {self.max_waiting} sequences waiting")
        self._waiting.extend(request.samples)

    def schedule(self) -> Plan:
        """Plan one step; a planned chunk counts as prefilled, since a step that fails ends its requests anyway."""
        decode = tuple(sequence for sequence in self._running if sequence.is_prefilled)
        unfinished = [sequence for sequence in self._running if not sequence.is_prefilled]
        budget, chunks = self.prefill_tokens, []
        while chunk := self._next_chunk(unfinished, budget):
            chunk.sequence.prefilled = chunk.stop
            budget -= chunk.stop - chunk.start
            chunks.append(chunk)
        return Plan(tuple(chunks), decode)

    def retire(self, sequence: Sequence) -> None:
        """Free the slot of a finished sequence."""
        self._running.remove(sequence)

    def abort(self, request: Request) -> list[Sequence]:
        """Forget a request; return its sequences that held a slot."""
        held = [sequence for sequence in self._running if sequence.request is request]
        self._running = deque(sequence for sequence in self._running if sequence.request is not request)
        self._waiting = deque(sequence for sequence in self._waiting if sequence.request is not request)
        return held

    def _next_chunk(self, unfinished: list[Sequence], budget: int) -> Chunk | None:
        """Next chunk that fits; the one at the head is never overtaken, so nothing starves."""
        sequence = unfinished[0] if unfinished else self._peek()
        if sequence is None:
            return None
        start = sequence.prefilled
        stop = min(start + self.prefill_tokens, len(sequence.request.prompt_ids))
        if stop - start > budget:
            return None
        if unfinished:
            unfinished.pop(0)
        else:
            self._admit()
        return Chunk(sequence, start, stop)

    def _peek(self) -> Sequence | None:
        return self._waiting[0] if self._waiting and len(self._running) < self.max_running else None

    def _admit(self) -> None:
        sequence = self._waiting.popleft()
        sequence.state = State.RUNNING
        self._running.append(sequence)
