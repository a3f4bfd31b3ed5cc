"""Lines of a batch that generate: read, submitted and answered as the addresses themselves would, by the same code."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from inference.contract import Priority
from release_portal.access.lookups import SizeAccess
from release_portal.batches.endpoints import Answer, Body, Endpoint
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, PortalError
from release_portal.generation.chat import render_chat
from release_portal.generation.services import check_generation, generate_each
from release_portal.jobs.models import Job
from release_portal.openai_api.batch_lines import Checker, failed_line, refused_line, require_one, terms_for
from release_portal.openai_api.logprobs import LogprobWriter
from release_portal.openai_api.parameters import Call, Prompt, read_chat, read_completion
from release_portal.openai_api.submitting import Submission, shape_of


@dataclass(frozen=True)
class Generations:
    """One of the two addresses that generate.

    Args:
        url: its path.
        is_chat: a body has messages, which the size's chat template writes as a prompt; else it has a prompt.
    """

    url: str
    is_chat: bool

    def endpoint(self) -> Endpoint:
        """Return the address as batches know it."""
        return Endpoint(self.url, self.checker, self.submit, self.answer, failed_line, refused_line, self.example)

    def example(self, text: str) -> dict[str, Any]:
        """Return what a body says to have a text continued, or answered."""
        said: dict[str, Any] = {"messages": [{"role": "user", "content": text}]} if self.is_chat else {"prompt": text}
        return {**said, "max_tokens": 32}

    def checker(self, actor: Actor, at: datetime) -> Callable[[Body], None]:
        """Return what raises whatever would refuse a body whenever it came."""
        return Checker(actor, at, model_of=lambda body: self._read(body).model, check=self._check)

    def submit(self, actor: Actor, body: Body, at: datetime) -> Job:
        """Submit the job of a line, behind everything for which somebody waits."""
        call = self._read(body)
        with self._client_names(call):
            prompt = self._prompt_of(terms_for(actor, call.model, at), call)
            (job,) = generate_each(
                actor, call.model, [prompt], call.values, at=at, usual_tokens=call.usual_tokens,
                priority=Priority.BATCH,
            )  # fmt: skip
        return job

    def answer(self, job: Job, body: Body, samples: Sequence[Mapping[str, Any]]) -> Answer:
        """Return what the address would have answered to a job that succeeded."""
        shape = shape_of([job], self._submission(self._read(body)))
        usage = {"prompt_tokens": job.prompt_tokens, "completion_tokens": job.completion_tokens}
        return Answer(200, shape.whole(self._told(job, samples), usage))

    def _read(self, body: Body) -> Call:
        """Read the body of a line; raise InvalidInput naming its field."""
        call = read_chat(body) if self.is_chat else read_completion(body)
        if call.is_stream:
            reason = "There is nobody to stream to in a batch."
            raise InvalidInput(reason, field="stream", code="unsupported_parameter", change="Leave stream out.")
        if not self.is_chat:
            require_one(call.prompts, "prompt")
        return call

    def _check(self, access: SizeAccess, body: Body) -> None:
        call = self._read(body)
        with self._client_names(call):
            check_generation(access, self._prompt_of(access, call), call.values, usual_tokens=call.usual_tokens)

    def _prompt_of(self, access: SizeAccess, call: Call) -> Prompt | None:
        return render_chat(access.size, call.messages) if self.is_chat else call.prompts[0]

    @contextmanager
    def _client_names(self, call: Call) -> Iterator[None]:
        """Say what is wrong by the client's name of the input."""
        try:
            yield
        except PortalError as error:
            error.field = self._submission(call).client_name(error.field)
            raise

    def _submission(self, call: Call) -> Submission:
        return Submission(call, call.prompts, is_chat=self.is_chat)

    def _told(self, job: Job, samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Return every sample as its choice tells it; one that came to its end at once has no text."""
        settings = job.settings
        echo = job.prompt if settings.echo else ""
        empty: dict[str, Any] = {"text": "", "finish": None}
        found = [*samples, *[empty] * (settings.samples - len(samples))]
        return [{**sample, "text": echo + sample["text"], "logprobs": self._logprobs(job, sample)} for sample in found]

    def _logprobs(self, job: Job, sample: Mapping[str, Any]) -> dict[str, Any] | None:
        if job.settings.logprobs is None:
            return None
        return LogprobWriter(self.is_chat).write(sample.get("logprobs", ()))


COMPLETIONS = Generations("/v1/completions", is_chat=False)
CHATS = Generations("/v1/chat/completions", is_chat=True)
