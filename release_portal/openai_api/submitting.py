"""Hand a client's call to the jobs, and say in the client's words what comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.urls import reverse

from inference.contract import Priority
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.errors import NotFound, PortalError, TooMuch
from release_portal.generation.embedding import embed_each
from release_portal.generation.services import generate_each
from release_portal.jobs.models import Job
from release_portal.jobs.workers import precision_now
from release_portal.openai_api.errors import Limited, no_model
from release_portal.openai_api.limits import rate_headers, refused_headers
from release_portal.openai_api.parameters import Call, EmbeddingCall, Prompt
from release_portal.openai_api.shapes import Shape


@dataclass(frozen=True)
class Submission:
    """A call with its prompts as the model reads them.

    Args:
        prompts: the client's own, or the one that a chat template wrote.
        is_chat: chat completion, else text completion.
    """

    call: Call
    prompts: tuple[Prompt | None, ...]
    is_chat: bool

    def client_name(self, field: str) -> str:
        """Return the client's name of an input."""
        prompt = "messages" if self.is_chat else "prompt"
        return {"samples": "n", "purpose": "metadata.purpose", "prompt": prompt}.get(field, field)


def submit(actor: Actor, asked: Submission) -> tuple[list[Job], dict[str, str]]:
    """Submit a job for each prompt; return them with the headers that say what is left of the quota."""
    at, call = now(), asked.call
    with _in_words_of_the_client(actor, call.model, at, asked.client_name):
        jobs = generate_each(actor, call.model, asked.prompts, call.values, at=at, usual_tokens=call.usual_tokens)
    return jobs, rate_headers(jobs[0], at)


def submit_embeddings(actor: Actor, call: EmbeddingCall) -> tuple[list[Job], dict[str, str]]:
    """Submit a job for each text; return them with the headers that say what is left of the quota."""
    at = now()
    with _in_words_of_the_client(actor, call.model, at, embedding_name):
        jobs = embed_call(actor, call, at=at)
    return jobs, rate_headers(jobs[0], at)


def embed_call(
    actor: Actor, call: EmbeddingCall, *, at: datetime, priority: Priority = Priority.INTERACTIVE
) -> list[Job]:
    """Submit a job for each text of a call, alone or as a line of a batch; raises as `embed_each` does."""
    return embed_each(
        actor,
        call.model,
        call.texts,
        at=at,
        pooling=call.pooling,
        width=call.dimensions,
        purpose=call.purpose,
        end_user=call.end_user,
        priority=priority,
    )


def embedding_name(field: str) -> str:
    """Return the client's name of an input of an embedding."""
    return {"prompt": "input", "purpose": "metadata.purpose"}.get(field, field)


@contextmanager
def _in_words_of_the_client(actor: Actor, model: str, at: datetime, name_of: Callable[[str], str]) -> Iterator[None]:
    """Say refusals with the client's names of inputs, and those of the quota with what is left of it."""
    try:
        yield
    except NotFound as error:
        raise no_model(model) from error
    except TooMuch as error:
        raise Limited(error, refused_headers(actor, model, at)) from error
    except PortalError as error:
        error.field = name_of(error.field)
        raise


def shape_of(jobs: Sequence[Job], asked: Submission) -> Shape:
    """Return how the answer is written: its id is that of the first prompt's job."""
    first = jobs[0]
    prefix = "chatcmpl" if asked.is_chat else "cmpl"
    created = int(first.created_at.timestamp())
    return Shape(f"{prefix}-{first.pk}", asked.call.model, created, asked.is_chat, _facts(jobs))


def embedding_facts(jobs: Sequence[Job], call: EmbeddingCall) -> dict[str, Any]:
    """Return what the portal adds to an answer with vectors."""
    return {**_made_by(jobs), "pooling": call.pooling.value}


def _facts(jobs: Sequence[Job]) -> dict[str, Any]:
    first = jobs[0]
    seed, link = first.settings.seed, settings.PUBLIC_URL + reverse("generation", args=[first.pk])
    return {**_made_by(jobs), "seed": seed, "permalink": link}


def _made_by(jobs: Sequence[Job]) -> dict[str, Any]:
    first = jobs[0]
    several = {"jobs": [job.pk for job in jobs]} if len(jobs) > 1 else {}
    return {
        "job": first.pk,
        **several,
        "stage": first.stage,
        "card_version": first.card_version,
        # What a seed is a promise for: these weights, and only where it begins with fp32.
        "system_fingerprint": f"{precision_now()}-{first.weights_digest[:12]}",
    }
