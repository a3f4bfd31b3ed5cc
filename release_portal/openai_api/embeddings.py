"""Answer a call for embeddings: one vector for each text, as numbers or packed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Any

from inference.contract import EmbedResult
from release_portal.core.errors import Unavailable
from release_portal.jobs.models import Job
from release_portal.openai_api.answers import failure_of
from release_portal.openai_api.parameters import EmbeddingCall
from release_portal.openai_api.work import Work


class EmbeddingAnswer:
    """The answer to one call; what is not read to its end stops the jobs that still run.

    Args:
        jobs: one for each text, in their order.
        facts: what the portal adds.
    """

    def __init__(self, jobs: Sequence[Job], call: EmbeddingCall, facts: Mapping[str, Any]) -> None:
        self._count, self._call, self._facts = len(jobs), call, facts
        self._work = Work(jobs)

    async def whole(self) -> dict[str, Any]:
        """Wait for all ends; raise what the first failure was."""
        found: dict[int, EmbedResult] = {}
        async with aclosing(self._work.events()) as events:
            async for number, event in events:
                if event.kind == "result":
                    found[number] = EmbedResult.from_mapping(event.body)
                elif event.kind == "end" and not event.body["is_success"]:
                    raise await failure_of(event)
        if len(found) < self._count:  # the stream was emptied while it was read
            raise Unavailable("The vectors are no longer there.", code="result_lost", change="Ask again.")
        results = [found[number] for number in range(self._count)]
        return body_with(results, self._call, self._facts, self._work.usage["prompt_tokens"])


def body_with(
    results: Sequence[EmbedResult], call: EmbeddingCall, facts: Mapping[str, Any], prompt_tokens: int
) -> dict[str, Any]:
    """Return the answer to a call: a vector for each text.

    Args:
        results: in the order of the texts.
        facts: what the portal adds.
        prompt_tokens: of all texts together.
    """
    data = [
        {"object": "embedding", "index": number, "embedding": _vector(result, call)}
        for number, result in enumerate(results)
    ]
    usage = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return {"object": "list", "data": data, "model": call.model, "usage": usage, "portal": dict(facts)}


def _vector(result: EmbedResult, call: EmbeddingCall) -> str | list[float]:
    return result.vector if call.is_packed else list(result.numbers)
