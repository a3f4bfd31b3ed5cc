"""What shall be done, and with which settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from inference.contract.words import Function, Pooling, Priority

CONTRACT_VERSION = 2


@dataclass(frozen=True)
class SamplingSettings:
    """How tokens are chosen; temperature 0 is greedy.

    Seeds are a promise in fp32: noise is keyed by (seed, sample, position, token), never by the company in the batch.
    """

    max_tokens: int = 64
    temperature: float = 1.0
    top_k: int = 0  # 0: no limit
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int = 0  # 0 .. 2**63 - 1
    samples: int = 1
    repetition_penalty: float = 1.0  # above 0; divides positive logits of tokens seen in prompt or output
    presence_penalty: float = 0.0  # -2 .. 2; taken once from tokens seen in the output
    frequency_penalty: float = 0.0  # -2 .. 2; taken for each time a token was seen in the output
    logit_bias: tuple[tuple[int, float], ...] = ()  # token id, -100 .. 100
    logprobs: int | None = None  # None: not asked for; else how many of the likeliest tokens to name beside the chosen
    echo: bool = False  # say the prompt first
    watermark: bool = False  # mark the text with the worker's key; an older portal does not say it

    @classmethod
    def from_mapping(cls, data: Mapping[str, Any]) -> SamplingSettings:
        """Read the settings back from JSON."""
        bias = tuple((int(token), float(value)) for token, value in data.get("logit_bias", ()))
        return cls(**{**data, "stop": tuple(data.get("stop", ())), "logit_bias": bias})


@dataclass(frozen=True)
class Order:
    """What shall be done; it lies in Redis under order_key until the request has ended."""

    function: Function
    prompt: str
    settings: SamplingSettings = field(default_factory=SamplingSettings)
    needs_reader: bool = False  # playground: abort when unread for READER_SECONDS
    priority: Priority = Priority.INTERACTIVE
    share: str = ""  # whose part of the worker it counts against, e.g. "grant:7"; within a priority all get the same
    deadline: float = 0.0  # unix seconds after which nobody wants the answer any more; 0: none
    pooling: Pooling = Pooling.MEAN  # of an embedding

    def is_late(self, at: float) -> bool:
        """Whether nobody wants the answer any more at this unix second."""
        return 0 < self.deadline <= at

    def to_json(self) -> str:
        """Write the order for Redis."""
        return json.dumps({**asdict(self), "version": CONTRACT_VERSION})

    @classmethod
    def from_json(cls, text: str | bytes) -> Order:
        """Read the order back; raises ValueError for another contract version."""
        data = json.loads(text)
        if data.pop("version", None) != CONTRACT_VERSION:
            raise ValueError("order of another contract version")
        return cls(
            function=Function(data["function"]),
            prompt=data["prompt"],
            settings=SamplingSettings.from_mapping(data["settings"]),
            needs_reader=data["needs_reader"],
            priority=Priority(data["priority"]),
            share=data["share"],
            deadline=data["deadline"],
            pooling=Pooling(data.get("pooling", Pooling.MEAN)),  # an older portal does not say it
        )
