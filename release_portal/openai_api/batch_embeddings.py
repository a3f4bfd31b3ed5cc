"""Lines of a batch that embed: read, submitted and answered as /v1/embeddings would, by the same code."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from inference.contract import EmbedResult, Priority
from release_portal.access.lookups import SizeAccess
from release_portal.batches.endpoints import Answer, Body, Endpoint
from release_portal.core.actors import Actor
from release_portal.core.errors import PortalError
from release_portal.generation.embedding import check_embedding
from release_portal.jobs.models import Job
from release_portal.openai_api.batch_lines import Checker, failed_line, refused_line, require_one, terms_for
from release_portal.openai_api.embeddings import body_with
from release_portal.openai_api.parameters import EmbeddingCall, read_embedding
from release_portal.openai_api.submitting import embed_call, embedding_facts, embedding_name

URL = "/v1/embeddings"


def embeddings() -> Endpoint:
    """Return the address as batches know it."""
    return Endpoint(
        URL,
        lambda actor, at: Checker(actor, at, model_of=lambda body: _read(body).model, check=_check),
        submit_line,
        answer_line,
        failed_line,
        refused_line,
        lambda text: {"input": text},
    )


def submit_line(actor: Actor, body: Body, at: datetime) -> Job:
    """Submit the job of a line, behind everything for which somebody waits."""
    call = _read(body)
    terms_for(actor, call.model, at)
    with _client_names():
        (job,) = embed_call(actor, call, at=at, priority=Priority.BATCH)
    return job


def answer_line(job: Job, body: Body, samples: Sequence[Mapping[str, Any]]) -> Answer:
    """Return what the address would have answered to a job that succeeded.

    Raises:
        ValueError: its result is gone.
    """
    call = _read(body)
    (sample,) = samples
    return Answer(
        200, body_with([EmbedResult.from_mapping(sample)], call, embedding_facts([job], call), job.prompt_tokens)
    )


def _read(body: Body) -> EmbeddingCall:
    """Read the body of a line; raise InvalidInput naming its field."""
    call = read_embedding(body)
    require_one(call.texts, "input")
    return call


def _check(access: SizeAccess, body: Body) -> None:
    call = _read(body)
    with _client_names():
        check_embedding(access, call.texts[0], width=call.dimensions, purpose=call.purpose)


@contextmanager
def _client_names() -> Iterator[None]:
    """Say what is wrong by the client's name of the input."""
    try:
        yield
    except PortalError as error:
        error.field = embedding_name(error.field)
        raise
