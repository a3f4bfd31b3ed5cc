"""What the engine takes: an order becomes a request, or is rejected with the reason."""

from __future__ import annotations

from inference.contract import FinishReason, Function, Order, Permit
from inference.engine.backend import Backend, InvalidPromptError
from inference.engine.request import Request


class RejectedError(Exception):
    """An order that the engine did not take; the caller writes its end."""

    def __init__(self, reason: FinishReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ReturnedError(Exception):
    """An order that the engine did not take because it drains; the caller hands it back to the queue."""


def check_order(permit: Permit, order: Order) -> None:
    """Second line, before a size is loaded: the portal has checked all this before."""
    if permit.function != order.function:
        raise RejectedError(FinishReason.REFUSED, "the permit is for another function")
    settings = order.settings
    wrong = {
        "max_tokens must be at least 1": settings.max_tokens < 1,
        "samples must be between 1 and 128": not 1 <= settings.samples <= 128,
        "temperature must be 0 or more": not 0 <= settings.temperature < float("inf"),
        "top_k must be 0 or more": settings.top_k < 0,
        "top_p must be above 0 and at most 1": not 0 < settings.top_p <= 1,
        "seed must be between 0 and 2**63 - 1": not 0 <= settings.seed < 2**63,
        "repetition_penalty must be between 0.01 and 100": not 0.01 <= settings.repetition_penalty <= 100,
        "presence_penalty must be between -2 and 2": not -2 <= settings.presence_penalty <= 2,
        "frequency_penalty must be between -2 and 2": not -2 <= settings.frequency_penalty <= 2,
        "logit_bias must be between -100 and 100": not all(-100 <= bias <= 100 for _, bias in settings.logit_bias),
        "logprobs must be between 0 and 20": not 0 <= (settings.logprobs or 0) <= 20,
    }
    for message, is_wrong in wrong.items():
        if is_wrong:
            raise RejectedError(FinishReason.INVALID, message)


def request_of(permit: Permit, order: Order, backend: Backend, arrived_at: float) -> Request:
    """Make a request of an order; raises RejectedError when this size cannot serve it as written."""
    try:
        _check_function(order.function, backend.functions)
        prompt_ids = backend.encode(order.prompt)
        _check_length(len(prompt_ids), order, min(backend.context, backend.cache_tokens))
        _check_bias(order, backend.vocabulary_size)
        _check_watermark(order, backend.can_watermark)
    except InvalidPromptError as error:
        raise RejectedError(FinishReason.INVALID, str(error)) from error
    return Request(
        order,
        permit,
        prompt_ids,
        decode=backend.decode,
        end_ids=backend.end_ids,
        arrived_at=arrived_at,
    )


def _check_function(function: Function, offered: frozenset[Function]) -> None:
    if function not in offered:
        raise InvalidPromptError(f"this size does not {function}; it can {', '.join(sorted(offered))}")


def _check_length(prompt_tokens: int, order: Order, context: int) -> None:
    completion = order.settings.max_tokens if order.function is Function.GENERATE else 0
    if prompt_tokens + completion > context:
        asked = f"{prompt_tokens} tokens" + (f" and up to {completion} more" if completion else "")
        raise InvalidPromptError(f"the text has {asked}; this size takes {context} in all")


def _check_bias(order: Order, vocabulary_size: int) -> None:
    unknown = [token for token, _ in order.settings.logit_bias if not 0 <= token < vocabulary_size]
    if unknown:
        raise InvalidPromptError(f"logit_bias names token {unknown[0]}; this size knows 0 to {vocabulary_size - 1}")


def _check_watermark(order: Order, can_watermark: bool) -> None:
    if order.settings.watermark and not can_watermark:
        raise InvalidPromptError("watermark is asked for; this worker has no key to mark this size's texts with")
