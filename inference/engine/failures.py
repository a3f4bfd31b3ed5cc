"""Logging of failures without what people wrote."""

from __future__ import annotations

import logging
import traceback


def log_failure(logger: logging.Logger, what: str, error: BaseException) -> None:
    """Log the kind of an error and where it came from, without its message: that could quote a prompt."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: %s\n%s", what, type(error).__name__, frames)


# What torch says when an allocation fails; on a CPU it raises a plain RuntimeError.
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def reason_of(error: BaseException) -> str:
    """Why a step of a model failed, for whoever asked: the kind of the error, never its message."""
    kind = type(error).__name__
    if isinstance(error, MemoryError) or any(words in str(error).lower() for words in OUT_OF_MEMORY):
        return f"the worker ran out of memory: {kind}"
    return f"the model failed: {kind}"
