"""Requests and their sequences: one request has one sequence per sample, and ends exactly once."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from enum import Enum

from inference.contract import FinishReason, Function, Order, Permit, Piece, TokenLogprob, Usage
from inference.engine.lookup import PromptLookup
from inference.engine.text import Decode, Detokenizer, StopStrings

CONTEXT_OF_TEXT = 4  # prompt tokens decoded along with the first new token


class State(Enum):
    """Where a sequence stands."""

    WAITING = "waiting"
    RUNNING = "running"
    FINISHED = "finished"


class Sequence:
    """One sample of a request.

    Args:
        request: the request it belongs to.
        sample: its number, from 0.
    """

    def __init__(self, request: Request, sample: int) -> None:
        self.request = request
        self.sample = sample
        self.state = State.WAITING
        self.reason: FinishReason | None = None
        self.to_prefill = len(request.prompt_ids)  # after a preemption the output is prefilled with the prompt
        self.prefilled = 0  # tokens of these that are planned or in the cache
        self.served = 0  # tokens that were ever computed, counted once however often they are
        self.reached = 0  # positions of the cache that drafts may have written, from 0
        self.output: list[int] = []  # sampled tokens, end-of-text left out
        self._lookup: PromptLookup | None = None
        self._detokenizer = Detokenizer(request.decode, request.prompt_ids[-CONTEXT_OF_TEXT:])
        self._stops = StopStrings(request.order.settings.stop)

    @property
    def is_prefilled(self) -> bool:
        """Whether all that is prefilled is in the cache, so that the sequence can decode."""
        return self.prefilled >= self.to_prefill

    @property
    def length(self) -> int:
        """Tokens of prompt and output."""
        return len(self.request.prompt_ids) + len(self.output)

    @property
    def cached(self) -> int:
        """Positions of the cache that it may have written, from 0."""
        return max(self.prefilled + self.length - self.to_prefill, self.reached)

    @property
    def reserve(self) -> int:
        """Tokens of cache that it may come to hold."""
        order = self.request.order
        return len(self.request.prompt_ids) + (order.settings.max_tokens if order.function is Function.GENERATE else 0)

    @property
    def last_token(self) -> int:
        """Token whose successor is sampled next."""
        return self.output[-1] if self.output else self.request.prompt_ids[-1]

    @property
    def position(self) -> int:
        """Position in the context of `last_token`, from 0."""
        return self.length - 1

    def tokens(self, start: int, stop: int) -> list[int]:
        """Token ids at these positions of prompt and output."""
        prompt = self.request.prompt_ids
        return [*prompt[start:stop], *self.output[max(0, start - len(prompt)) : max(0, stop - len(prompt))]]

    def start(self) -> None:
        """Begin, or begin again after a preemption: nothing is in the cache, what was said stays said."""
        self.state = State.RUNNING
        self.to_prefill, self.prefilled, self.reached = self.length, 0, 0

    def draft(self, most: int) -> tuple[int, ...]:
        """Draft at most so many of its next tokens, and never one behind which no other could be sampled."""
        if (most := min(most, self.reserve - self.length - 1)) <= 0:
            return ()
        if self._lookup is None:
            self._lookup = PromptLookup()
        self._lookup.feed(self.tokens(len(self._lookup), self.length))
        draft = self._lookup.draft(most)
        self.reached = max(self.reached, self.length + len(draft))
        return draft

    def opening(self, logprobs: tuple[TokenLogprob, ...] = ()) -> list[Piece]:
        """What comes before the first token: the prompt as a piece of its own, where the order asks for it.

        The prompt is no part of the completion: it counts no tokens, and no stop string is looked for in it.
        """
        if self.output or not self.request.order.settings.echo:
            return []
        return [Piece(self.sample, self.request.order.prompt, 0, logprobs=logprobs)]

    def take(self, token: int, logprobs: tuple[TokenLogprob, ...] = ()) -> Piece:
        """Add a sampled token and return what it adds for the reader; may finish the sequence.

        Every token counts as a completion token whether its text is shown, held back or cut off with a stop
        string; only the end-of-text token does not. The piece of a token carries its log-probability even when
        its text comes later or never.
        """
        if token in self.request.end_ids:
            return self._finish(FinishReason.STOP, *self._rest())
        self.output.append(token)
        text, is_stopped = self._stops.feed(self._detokenizer.feed(token))
        if is_stopped:
            return self._finish(FinishReason.STOP, text, is_stopped, logprobs)
        if len(self.output) >= self.request.order.settings.max_tokens:
            rest, is_stopped = self._rest()
            return self._finish(FinishReason.LENGTH, text + rest, is_stopped, logprobs)
        return self._piece(text, logprobs)

    def end(self, reason: FinishReason) -> None:
        """Close the sequence without another piece."""
        self.state = State.FINISHED
        self.reason = reason

    def _rest(self) -> tuple[str, bool]:
        text, is_stopped = self._stops.feed(self._detokenizer.flush())
        return (text, True) if is_stopped else (text + self._stops.flush(), False)

    def _finish(
        self, reason: FinishReason, text: str, is_stopped: bool, logprobs: tuple[TokenLogprob, ...] = ()
    ) -> Piece:
        self.end(FinishReason.STOP if is_stopped else reason)
        return self._piece(text, logprobs)

    def _piece(self, text: str, logprobs: tuple[TokenLogprob, ...]) -> Piece:
        return Piece(self.sample, text, len(self.output), self.reason.value if self.reason else None, logprobs)


class Request:
    """One order with its permit, on its way through the engine.

    Args:
        order: prompt and settings.
        permit: what allows it; checked again in Redis at every step.
        prompt_ids: token ids of the prompt, at least one.
        decode: token ids -> text.
        end_ids: token ids that end a text.
        arrived_at: when it came, by the clock of the engine's figures.
    """

    def __init__(
        self,
        order: Order,
        permit: Permit,
        prompt_ids: Iterable[int],
        *,
        decode: Decode,
        end_ids: frozenset[int] = frozenset(),
        arrived_at: float = 0.0,
    ) -> None:
        self.order = order
        self.permit = permit
        self.prompt_ids = tuple(prompt_ids)
        self.decode = decode
        self.end_ids = end_ids
        self.arrived_at = arrived_at
        self.reason: FinishReason | None = None
        self.error = ""
        self.is_returned = False  # not served: whoever submitted it hands it back to the queue
        self.done = threading.Event()  # set after the end has been written, or given up, or it was returned
        samples = order.settings.samples if order.function is Function.GENERATE else 1
        self.samples = tuple(Sequence(self, sample) for sample in range(samples))
        self._written: dict[int, int] = {}  # sample -> completion tokens in the stream
        self._has_written = False

    @property
    def job_id(self) -> str:
        """Id of the job in the portal."""
        return self.permit.job_id

    @property
    def usage(self) -> Usage:
        """Tokens to be charged: nothing before the first entry in the stream, then what was written there."""
        if not self._has_written:
            return Usage()
        return Usage(len(self.prompt_ids), sum(self._written.values()))

    @property
    def has_begun(self) -> bool:
        """Whether a sample of it has a slot, or has ended."""
        return any(sample.state is not State.WAITING for sample in self.samples)

    @property
    def outcome(self) -> FinishReason | None:
        """Reason of an undisturbed end: None while a sample runs; stop only when every sample stopped."""
        reasons = {sample.reason for sample in self.samples}
        if None in reasons:
            return None
        return reasons.pop() if len(reasons) == 1 else FinishReason.LENGTH

    def confirm(self, pieces: Iterable[Piece]) -> None:
        """Count pieces that are in the stream now (an empty list: a result without completion tokens)."""
        self._has_written = True
        self._written.update({piece.sample: piece.tokens for piece in pieces})

    def end(self, reason: FinishReason, error: str = "") -> None:
        """End the request and every sample that has not ended; raises RuntimeError when it has ended before."""
        if self.reason is not None:
            raise RuntimeError(f"request ended twice: {self.reason}, then {reason}")
        self.reason, self.error = reason, error
        for sample in self.samples:
            if sample.state is not State.FINISHED:
                sample.end(reason)

    @property
    def is_untouched(self) -> bool:
        """Whether nobody has seen anything of it: what was preempted has no slot either, but has said something."""
        return not self.has_begun and not any(sample.output for sample in self.samples)

    def give_back(self) -> None:
        """Let go of a request that is untouched, without an end; raises RuntimeError for any other."""
        if self.reason is not None or not self.is_untouched:
            raise RuntimeError("a request that has begun cannot be returned")
        self.is_returned = True
