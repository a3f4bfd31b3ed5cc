"""The words that portal and worker share: what is asked, how a request ends, who waits."""

from __future__ import annotations

from enum import StrEnum


class Function(StrEnum):
    """What a worker can be asked to do with a model size."""

    GENERATE = "generate"
    SCORE = "score"
    EMBED = "embed"
    CLASSIFY = "classify"


class Pooling(StrEnum):
    """How the hidden states of a text's tokens become one vector."""

    MEAN = "mean"  # of all tokens
    LAST = "last"  # of the last token, which has seen all others


class FinishReason(StrEnum):
    """Why a request ended; every request ends with exactly one of them."""

    STOP = "stop"  # end-of-text token or a stop string
    LENGTH = "length"  # max_tokens or the context is used up
    COMPLETE = "complete"  # a function without tokens of its own (score, embed, classify) is done
    CANCELLED = "cancelled"  # the person who asked pressed stop, or an API client went away
    READER_LOST = "reader_lost"  # nobody read the playground stream for READER_SECONDS
    STOPPED = "stopped"  # an epoch moved: what permitted the work was taken back
    LEASE_LOST = "lease_lost"  # no lease in Redis: the worker cannot know whether it still may
    EXPIRED = "expired"  # the permit ended before or while the request ran
    REFUSED = "refused"  # the permit is not valid for this worker
    INVALID = "invalid"  # the order cannot be served as written (prompt outside the vocabulary, too long ...)
    OVERLOADED = "overloaded"  # too much was waiting at the worker: nothing of it was begun
    TOO_LATE = "too_late"  # its deadline passed before it was done
    WORKER_LOST = "worker_lost"  # the worker that held the request stopped answering
    ENGINE_FAILED = "engine_failed"  # the engine or the model failed
    BROKER_LOST = "broker_lost"  # Redis lost the request; never charged

    @property
    def is_success(self) -> bool:
        """Whether the request ended as its asker wanted."""
        return self in (FinishReason.STOP, FinishReason.LENGTH, FinishReason.COMPLETE)


class Priority(StrEnum):
    """Who waits for an answer; interactive work is planned before batch work."""

    INTERACTIVE = "interactive"  # a person or a client waits
    BATCH = "batch"  # nobody waits
