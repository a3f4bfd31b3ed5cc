"""Results of functions that write no tokens of their own."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from inference.contract.words import Pooling


@dataclass(frozen=True)
class ScoredToken:
    """What a model size thought of one token of a text, given the tokens before it.

    Numbers are None for a first token without anything before it. `mean` and `variance` are those of the
    log-probability of the next token under the model's own distribution (natural logarithm), so that the analytic
    curvature of Fast-DetectGPT is sum(logprob - mean) / sqrt(sum(variance)).
    """

    text: str
    start: int | None  # character offsets in the text that was scored; None where the tokenizer knows none
    end: int | None
    logprob: float | None = None
    rank: int | None = None  # 1: the model's first choice
    entropy: float | None = None  # nats
    mean: float | None = None
    variance: float | None = None


@dataclass(frozen=True)
class ScoreResult:
    """Body of the RESULT entry of a score."""

    tokens: tuple[ScoredToken, ...]
    scored: int  # tokens that have numbers

    def to_json(self) -> str:
        """Write the result for the stream."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> ScoreResult:
        """Read the result back."""
        data = json.loads(text)
        return cls(tokens=tuple(ScoredToken(**token) for token in data["tokens"]), scored=data["scored"])


@dataclass(frozen=True)
class EmbedResult:
    """Body of the RESULT entry of an embedding: one vector for the text."""

    vector: str  # base64 of little-endian float32, a third of what the digits would take
    width: int
    pooling: Pooling
    prompt_tokens: int

    @classmethod
    def of(cls, numbers: Sequence[float], pooling: Pooling, prompt_tokens: int) -> EmbedResult:
        """Pack the numbers of a vector."""
        packed = struct.pack(f"<{len(numbers)}f", *numbers)
        return cls(base64.b64encode(packed).decode(), len(numbers), pooling, prompt_tokens)

    @property
    def numbers(self) -> tuple[float, ...]:
        """The vector; raises ValueError when it is not as wide as it says."""
        try:
            return struct.unpack(f"<{self.width}f", base64.b64decode(self.vector, validate=True))
        except struct.error as error:
            raise ValueError("the vector is not as wide as it says") from error

    def to_json(self) -> str:
        """Write the result for the stream."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> EmbedResult:
        """Read the result back."""
        return cls.from_mapping(json.loads(text))

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> EmbedResult:
        """Read the result from its JSON object."""
        return cls(**{**data, "pooling": Pooling(data["pooling"])})


@dataclass(frozen=True)
class ClassifyResult:
    """Body of the RESULT entry of a classification."""

    labels: tuple[tuple[str, float], ...]  # label, probability; most probable first
    is_multi_label: bool  # each probability stands alone; else they sum to one
    prompt_tokens: int

    def to_json(self) -> str:
        """Write the result for the stream."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | bytes) -> ClassifyResult:
        """Read the result back."""
        data = json.loads(text)
        return cls(**{**data, "labels": tuple((label, probability) for label, probability in data["labels"])})


Result = ScoreResult | EmbedResult | ClassifyResult  # of a function without tokens of its own
