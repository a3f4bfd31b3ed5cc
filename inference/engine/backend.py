"""What computes for the loop: a backend per loaded model size, and the loader that brings them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inference.contract import Function, Result, TokenLogprob
from inference.engine.request import Sequence
from inference.engine.scheduler import Plan


class InvalidPromptError(ValueError):
    """A prompt that the model size cannot be given; the message is for the person who asked."""


class LoadError(Exception):
    """Weights that are not there, are not what their digest says, or do not fit; the message names no person's text."""


@dataclass(frozen=True)
class Sampled:
    """The next token of a sequence."""

    sequence: Sequence
    token: int | None  # None: the model's numbers were not finite
    gap: float = float("inf")  # distance of the best choice to the second after noise; how close another was
    logprobs: tuple[TokenLogprob, ...] = ()  # of this token, where the order asks for it
    prompt_logprobs: tuple[TokenLogprob, ...] = ()  # with the first token, where the order asks to echo them


@dataclass(frozen=True)
class Scored:
    """The result of a score, an embedding or a classification, with its last chunk."""

    sequence: Sequence
    result: Result | None  # None: the model's numbers were not finite


class Backend(Protocol):
    """A loaded model size. Called by one thread at a time, except encode and decode."""

    @property
    def functions(self) -> frozenset[Function]:
        """What it can be asked to do."""
        ...

    @property
    def context(self) -> int:
        """Tokens of prompt and completion together."""
        ...

    @property
    def vocabulary_size(self) -> int:
        """Number of token ids that can be chosen."""
        ...

    @property
    def cache_tokens(self) -> int:
        """Tokens of all sequences together that its cache may come to hold."""
        ...

    @property
    def end_ids(self) -> frozenset[int]:
        """Token ids that end a text."""
        ...

    @property
    def can_watermark(self) -> bool:
        """Whether it marks the texts of requests that ask for a watermark."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Memory of the weights, and of a cache as it is now."""
        ...

    def encode(self, prompt: str) -> list[int]:
        """Token ids of a prompt, at least one; raises InvalidPromptError."""
        ...

    def decode(self, ids: list[int]) -> str:
        """Text of token ids, special tokens left out."""
        ...

    def step(self, plan: Plan) -> list[Sampled | Scored]:
        """Run one step; results of decoding sequences and of those whose last chunk was planned.

        Of a sequence with a draft the tokens that came true, in order, and the one behind them: what would have come
        in as many steps without it. Those behind the end of a text are to be thrown away.
        """
        ...

    def release(self, sequence: Sequence) -> None:
        """Free the slot of a sequence; does nothing when it has none."""
        ...

    def reset(self) -> None:
        """Free every slot, after a failure."""
        ...


class Loader(Protocol):
    """Brings backends from the store."""

    def weigh(self, digest: str) -> int:
        """Bytes that loading will roughly take; raises LoadError."""
        ...

    def load(self, digest: str) -> Backend:
        """Load a model size after its files were checked against the digest; raises LoadError."""
        ...
