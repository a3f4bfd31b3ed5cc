"""The addresses of /v1."""

from __future__ import annotations

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
from release_portal.openai_api.auth import caller
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
    actor = await caller(request)
    return await _answer(actor, read_completion(read_json(request.body)))


@openai_view("POST")
async def chat_completions(request: HttpRequest) -> HttpResponseBase:
    """Answer a conversation, with sizes that have a chat template."""
    actor = await caller(request)
    call = read_chat(read_json(request.body))
    prompt = await sync_to_async(_chat_prompt)(actor, call)
    return await _answer(actor, call, prompt=prompt)


@openai_view("POST")
async def embeddings(request: HttpRequest) -> HttpResponseBase:
    """Give a vector for each text: the pooled hidden states of a size."""
    actor = await caller(request)
    call = read_embedding(read_json(request.body))
    jobs, headers = await sync_to_async(submit_embeddings)(actor, call)
    facts = await sync_to_async(embedding_facts)(jobs, call)
    response = await _whole(EmbeddingAnswer(jobs, call, facts), headers)
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


def _chat_prompt(actor: Actor, call: Call) -> str:
    try:
        access = size_for(actor, call.model, Action.GENERATE, at=now())
    except NotFound as error:
        raise no_model(call.model) from error
    return render_chat(access.size, call.messages)


async def _answer(actor: Actor, call: Call, *, prompt: str | None = None) -> HttpResponseBase:
    """Submit a call and answer it; with a prompt that a chat template wrote it is a chat."""
    submission = Submission(call, call.prompts if prompt is None else (prompt,), is_chat=prompt is not None)
    jobs, headers = await sync_to_async(submit)(actor, submission)
    answer = Answer(jobs, call, await sync_to_async(shape_of)(jobs, submission))
    if call.is_stream:
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
