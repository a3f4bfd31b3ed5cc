"""The addresses of /v1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse

from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.errors import NotFound, PortalError
from release_portal.generation.chat import render_chat
from release_portal.openai_api.answers import Answer
from release_portal.openai_api.auth import caller, caller_of
from release_portal.openai_api.embeddings import EmbeddingAnswer
from release_portal.openai_api.errors import Limited, no_model, openai_view
from release_portal.openai_api.limits import add_headers
from release_portal.openai_api.parameters import Call, read_chat, read_completion, read_embedding, read_json
from release_portal.openai_api.shapes import model_object
from release_portal.openai_api.submitting import Submission, embedding_facts, shape_of, submit, submit_embeddings
from release_portal.registry.models import ModelSize


@openai_view("GET")
async def models(request: HttpRequest) -> HttpResponse:
    """List the sizes with which the caller may generate now."""
    actor = await caller(request)
    return JsonResponse({"object": "list", "data": await _models(actor)})


@openai_view("GET")
async def model(request: HttpRequest, slug: str) -> HttpResponse:
    """Return one size that the caller may generate with."""
    actor = await caller(request)
    found = next((entry for entry in await _models(actor) if entry["id"] == slug), None)
    if found is None:
        await _explain_missing(actor, slug)
    return JsonResponse(found)


@openai_view("POST")
async def completions(request: HttpRequest) -> HttpResponseBase:
    """Continue a text."""
    return await _answered(request, _completion_in)


@openai_view("POST")
async def chat_completions(request: HttpRequest) -> HttpResponseBase:
    """Answer a conversation, with sizes that have a chat template."""
    return await _answered(request, _chat_in)


@openai_view("POST")
async def embeddings(request: HttpRequest) -> HttpResponseBase:
    """Give a vector for each text: the pooled hidden states of a size."""
    answer, headers = await _embedded(request)
    response = await _whole(answer, headers)
    add_headers(response, headers)
    return response


@openai_view("GET", "POST", "PUT", "DELETE", "PATCH")
async def unknown(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Say that an address of the client's is not offered here."""
    raise NotFound(f"/v1/{rest} is not offered by this portal.", code="unsupported_endpoint")


@sync_to_async
def _models(actor: Actor) -> list[dict[str, Any]]:
    return [_model_of(size) for size in sizes_for(actor, Action.GENERATE, at=now())]


def _model_of(size: ModelSize) -> dict[str, Any]:
    revision = size.current_revision
    created = int(revision.created_at.timestamp()) if revision else 0
    extra = {
        "release_stage": size.standing.stage,
        "context_length": size.context,
        "weights_digest": revision.digest if revision else None,
    }
    return model_object(size.slug, created, size.family.lab, extra)


@sync_to_async
def _explain_missing(actor: Actor, slug: str) -> None:
    """Raise what the policy says of a size that the caller cannot use."""
    try:
        size_for(actor, slug, Action.GENERATE, at=now())
    except NotFound as error:
        raise no_model(slug) from error


def _completion_in(actor: Actor, body: dict[str, Any]) -> Submission:
    call = read_completion(body)
    return Submission(call, call.prompts, is_chat=False)


def _chat_in(actor: Actor, body: dict[str, Any]) -> Submission:
    call = read_chat(body)
    return Submission(call, (_chat_prompt(actor, call),), is_chat=True)


def _chat_prompt(actor: Actor, call: Call) -> str:
    try:
        access = size_for(actor, call.model, Action.GENERATE, at=now())
    except NotFound as error:
        raise no_model(call.model) from error
    return render_chat(access.size, call.messages)


# From the token to the queue in one go: each time a request comes back for a thread it waits behind all the others.
@sync_to_async
def _submitted(
    request: HttpRequest, read: Callable[[Actor, dict[str, Any]], Submission]
) -> tuple[Answer, dict[str, str]]:
    """Submit what a client asks for; return its answer to come, and the headers of the quota."""
    actor = caller_of(request)
    submission = read(actor, read_json(request.body))
    jobs, headers = submit(actor, submission)
    return Answer(jobs, submission.call, shape_of(jobs, submission)), headers


@sync_to_async
def _embedded(request: HttpRequest) -> tuple[EmbeddingAnswer, dict[str, str]]:
    """The same for texts whose vectors are asked for."""
    actor = caller_of(request)
    call = read_embedding(read_json(request.body))
    jobs, headers = submit_embeddings(actor, call)
    return EmbeddingAnswer(jobs, call, embedding_facts(jobs, call)), headers


async def _answered(request: HttpRequest, read: Callable[[Actor, dict[str, Any]], Submission]) -> HttpResponseBase:
    """Submit what a client asks for, and answer it."""
    answer, headers = await _submitted(request, read)
    if answer.is_stream:
        response: HttpResponseBase = StreamingHttpResponse(answer.stream(), content_type="text/event-stream")
        response["Cache-Control"] = "no-cache"
        response["X-Accel-Buffering"] = "no"
    else:
        response = await _whole(answer, headers)
    add_headers(response, headers)
    return response


async def _whole(answer: Answer | EmbeddingAnswer, headers: dict[str, str]) -> HttpResponseBase:
    """What fails after it was queued has used a part of the quota: the headers say so there as well."""
    try:
        return JsonResponse(await answer.whole())
    except PortalError as error:
        raise Limited(error, headers) from error
