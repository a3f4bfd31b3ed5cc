"""How a line of a batch is read, submitted and answered: as /v1/completions would, by the same code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from inference.contract import Priority
from release_portal.access.lookups import SizeAccess
from release_portal.batches.endpoints import Answer, Body, Endpoint
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotFound, PortalError
from release_portal.generation.services import check_generation, generate_each, terms_of
from release_portal.jobs.models import Job
from release_portal.openai_api.answers import failure
from release_portal.openai_api.errors import body_of, no_model, status_of
from release_portal.openai_api.logprobs import LogprobWriter
from release_portal.openai_api.parameters import Call, read_completion
from release_portal.openai_api.submitting import Submission, shape_of

URL = "/v1/completions"


def read_line(body: Body) -> Call:
    """Read the body of a line; raise InvalidInput naming its field."""
    call = read_completion(body)
    if call.is_stream:
        reason = "There is nobody to stream to in a batch."
        raise InvalidInput(reason, field="stream", code="unsupported_parameter", change="Leave stream out.")
    if len(call.prompts) != 1:
        reason = f"A line of a batch has one prompt; this one has {len(call.prompts)}."
        raise InvalidInput(reason, field="prompt", code="too_many_prompts", change="Write a line for each.")
    return call


class Checker:
    """Holds bodies against what is open to an actor at a time; each model is looked up once."""

    def __init__(self, actor: Actor, at: datetime) -> None:
        self._actor, self._at = actor, at
        self._terms: dict[str, SizeAccess | PortalError] = {}

    def __call__(self, body: Body) -> None:
        """Raise what would refuse this body whenever it came, at a field of the line."""
        try:
            self._check(read_line(body))
        except PortalError as error:
            error.field = f"body.{error.field}" if error.field else "body"
            raise

    def _check(self, call: Call) -> None:
        terms = self._terms_of(call.model)
        with _client_names(call):
            check_generation(terms, call.prompts[0], call.values, usual_tokens=call.usual_tokens)

    def _terms_of(self, model: str) -> SizeAccess:
        if model not in self._terms:
            self._terms[model] = _terms_or_refusal(self._actor, model, self._at)
        terms = self._terms[model]
        if isinstance(terms, PortalError):
            raise _again(terms)
        return terms


def _terms_or_refusal(actor: Actor, model: str, at: datetime) -> SizeAccess | PortalError:
    try:
        return terms_of(actor, model, at=at)
    except NotFound:
        return no_model(model)
    except PortalError as error:
        error.field = "model"
        return error


def _again(error: PortalError) -> PortalError:
    """Return a refusal anew: each line says it at its own field."""
    return type(error)(
        error.reason, code=error.code, field=error.field, rule=error.rule, change=error.change, retry_at=error.retry_at
    )


@contextmanager
def _client_names(call: Call) -> Iterator[None]:
    """Say what is wrong by the client's name of the input."""
    try:
        yield
    except PortalError as error:
        error.field = _submission(call).client_name(error.field)
        raise


def _submission(call: Call) -> Submission:
    return Submission(call, call.prompts, is_chat=False)


def submit_line(actor: Actor, body: Body, at: datetime) -> Job:
    """Submit the job of a line, behind everything for which somebody waits."""
    call = read_line(body)
    try:
        with _client_names(call):
            (job,) = generate_each(
                actor, call.model, call.prompts, call.values, at=at, usual_tokens=call.usual_tokens,
                priority=Priority.BATCH,
            )  # fmt: skip
    except NotFound as error:
        raise no_model(call.model) from error
    return job


def answer_line(job: Job, body: Body, samples: Sequence[Mapping[str, Any]]) -> Answer:
    """Return what the address would have answered to a job that succeeded."""
    shape = shape_of([job], _submission(read_line(body)))
    usage = {"prompt_tokens": job.prompt_tokens, "completion_tokens": job.completion_tokens}
    return Answer(200, shape.whole(_told(job, samples), usage))


def _told(job: Job, samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return every sample as its choice tells it; one that came to its end at once has no text."""
    settings = job.settings
    echo = job.prompt if settings.echo else ""
    empty: dict[str, Any] = {"text": "", "finish": None}
    found = [*samples, *[empty] * (settings.samples - len(samples))]
    return [
        {
            **sample,
            "text": echo + sample["text"],
            "logprobs": None if settings.logprobs is None else LogprobWriter(False).write(sample.get("logprobs", ())),
        }
        for sample in found
    ]


def failed_line(job: Job) -> Answer:
    """Return what the address would have answered to a job that did not succeed."""
    return refused_line(failure(job.finish_reason, job.message))


def refused_line(error: PortalError) -> Answer:
    """Return what the address would have answered to a refusal."""
    return Answer(status_of(error), {"error": body_of(error)})


def completions() -> Endpoint:
    """Return the address as batches know it."""
    return Endpoint(URL, Checker, submit_line, answer_line, failed_line, refused_line)
