"""Hand a client's call to the jobs, and say in the client's words what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.urls import reverse

from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.errors import NotFound, PortalError, TooMuch
from release_portal.generation.services import generate_each
from release_portal.jobs.models import Job
from release_portal.jobs.workers import precision_now
from release_portal.openai_api.errors import Limited, no_model
from release_portal.openai_api.limits import rate_headers, refused_headers
from release_portal.openai_api.parameters import Call, Prompt
from release_portal.openai_api.shapes import Shape


@dataclass(frozen=True)
class Submission:
    """A call with its prompts as the model reads them.

    Args:
        prompts: the client's own, or the one that a chat template wrote.
        is_chat: chat completion, else text completion.
    """

    call: Call
    prompts: tuple[Prompt, ...]
    is_chat: bool

    def client_name(self, field: str) -> str:
        """Return the client's name of an input."""
        prompt = "messages" if self.is_chat else "prompt"
        return {"samples": "n", "purpose": "metadata.purpose", "prompt": prompt}.get(field, field)


def submit(actor: Actor, asked: Submission) -> tuple[list[Job], dict[str, str]]:
    """Submit a job for each prompt; return them with the headers that say what is left of the quota."""
    at, call = now(), asked.call
    try:
        jobs = generate_each(actor, call.model, asked.prompts, call.values, at=at, usual_tokens=call.usual_tokens)
    except NotFound as error:
        raise no_model(call.model) from error
    except TooMuch as error:
        raise Limited(error, refused_headers(actor, call.model, at)) from error
    except PortalError as error:
        error.field = asked.client_name(error.field)
        raise
    return jobs, rate_headers(jobs[0], at)


def shape_of(jobs: Sequence[Job], asked: Submission) -> Shape:
    """Return how the answer is written: its id is that of the first prompt's job."""
    first = jobs[0]
    prefix = "chatcmpl" if asked.is_chat else "cmpl"
    created = int(first.created_at.timestamp())
    return Shape(f"{prefix}-{first.pk}", asked.call.model, created, asked.is_chat, _facts(jobs))


def _facts(jobs: Sequence[Job]) -> dict[str, Any]:
    first = jobs[0]
    several = {"jobs": [job.pk for job in jobs]} if len(jobs) > 1 else {}
    return {
        "job": first.pk,
        **several,
        "stage": first.stage,
        "card_version": first.card_version,
        "seed": first.settings.seed,
        "permalink": settings.PUBLIC_URL + reverse("generation", args=[first.pk]),
        # What a seed is a promise for: these weights, and only where it begins with fp32.
        "system_fingerprint": f"{precision_now()}-{first.weights_digest[:12]}",
    }
