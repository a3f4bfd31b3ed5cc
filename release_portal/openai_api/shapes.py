"""The client's objects: models, completions, chat completions, and their chunks (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FINISH = {"stop": "stop", "length": "length"}


@dataclass(frozen=True)
class Shape:
    """One of the two interfaces' ways to write the same generation.

    Args:
        id: id of the answer.
        model: catalogue id.
        created: unix seconds.
        is_chat: chat completion, else text completion.
        facts: what the portal adds: stage, card version, seed, permalink.
    """

    id: str
    model: str
    created: int
    is_chat: bool
    facts: Mapping[str, Any]

    def whole(self, samples: Sequence[Mapping[str, Any]], usage: Mapping[str, int]) -> dict[str, Any]:
        """Return the answer to a request without streaming; a sample carries its log-probabilities in their shape."""
        kind = "chat.completion" if self.is_chat else "text_completion"
        choices = [self._choice(number, sample) for number, sample in enumerate(samples)]
        return {**self._head(kind), "choices": choices, "usage": totals(usage), "portal": dict(self.facts)}

    def chunk(
        self, index: int, text: str, finish: str | None, *, with_usage: bool, logprobs: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return one event of a stream."""
        choice: dict[str, Any] = {"index": index, "finish_reason": FINISH.get(finish or ""), "logprobs": logprobs}
        choice |= {"delta": {"content": text} if text else {}} if self.is_chat else {"text": text}
        return {**self._chunk_head(), "choices": [choice], **({"usage": None} if with_usage else {})}

    def opening(self, index: int, *, with_usage: bool) -> dict[str, Any]:
        """Return the first event of a chat sample, which names the role."""
        choice = {
            "index": index,
            "delta": {"role": "assistant", "content": ""},
            "finish_reason": None,
            "logprobs": None,
        }
        return {**self._chunk_head(), "choices": [choice], **({"usage": None} if with_usage else {})}

    def usage_chunk(self, usage: Mapping[str, int]) -> dict[str, Any]:
        """Return the event with the token counts that `include_usage` asks for."""
        return {**self._chunk_head(), "choices": [], "usage": totals(usage)}

    def _choice(self, number: int, sample: Mapping[str, Any]) -> dict[str, Any]:
        choice: dict[str, Any] = {
            "index": number,
            "finish_reason": FINISH.get(str(sample.get("finish")), "stop"),
            "logprobs": sample.get("logprobs"),
        }
        if self.is_chat:
            return choice | {"message": {"role": "assistant", "content": sample["text"], "refusal": None}}
        return choice | {"text": sample["text"]}

    def _head(self, kind: str) -> dict[str, Any]:
        fingerprint = self.facts.get("system_fingerprint")
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": fingerprint,
        }

    def _chunk_head(self) -> dict[str, Any]:
        return self._head("chat.completion.chunk" if self.is_chat else "text_completion")


def totals(usage: Mapping[str, int]) -> dict[str, int]:
    """Return the token counts as the client names them."""
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def model_object(slug: str, created: int, owner: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model as the client lists it; extra keys become attributes there."""
    return {"id": slug, "object": "model", "created": created, "owned_by": owner, **extra}
