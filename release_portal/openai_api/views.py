"""The addresses of /v1."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.urls import reverse

from inference.contract import FinishReason
from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.errors import NotFound, PortalError, TooMuch, Unavailable
from release_portal.generation.chat import render_chat
from release_portal.generation.services import generate
from release_portal.jobs.models import Job
from release_portal.jobs.relay import Event, relay
from release_portal.jobs.services import request_stop
from release_portal.jobs.settle import collect_pieces
from release_portal.openai_api.auth import caller
from release_portal.openai_api.errors import Limited, body_of, openai_view
from release_portal.openai_api.limits import add_headers, rate_headers, refused_headers
from release_portal.openai_api.parameters import Call, read_chat, read_completion, read_json
from release_portal.openai_api.shapes import Shape, model_object
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
        raise _no_model(slug) from error


def _no_model(slug: str) -> NotFound:
    return NotFound(
        f"The model {slug[:100]!r} does not exist, or you may not know of it.",
        code="model_not_found",
        field="model",
        change="GET /v1/models lists what you may use.",
    )


def _chat_prompt(actor: Actor, call: Call) -> str:
    try:
        access = size_for(actor, call.model, Action.GENERATE, at=now())
    except NotFound as error:
        raise _no_model(call.model) from error
    return render_chat(access.size, call.messages)


async def _answer(actor: Actor, call: Call, *, prompt: str | None = None) -> HttpResponseBase:
    job, headers = await sync_to_async(_submit)(actor, call, call.prompt if prompt is None else prompt)
    shape = _shape(job, call, is_chat=prompt is not None)
    if call.is_stream:
        response: HttpResponseBase = StreamingHttpResponse(_stream(job, call, shape), content_type="text/event-stream")
        response["Cache-Control"] = "no-cache"
        response["X-Accel-Buffering"] = "no"
    else:
        response = JsonResponse(await _whole(job, shape))
    add_headers(response, headers)
    return response


def _submit(actor: Actor, call: Call, prompt: str) -> tuple[Job, dict[str, str]]:
    at = now()
    try:
        values = {**call.values, "prompt": prompt}
        job = generate(actor, call.model, values, at=at, interface="api", usual_tokens=call.usual_tokens)
    except NotFound as error:
        raise _no_model(call.model) from error
    except TooMuch as error:
        raise Limited(error, refused_headers(actor, call.model, at)) from error
    except PortalError as error:
        error.field = {"samples": "n", "purpose": "metadata.purpose"}.get(error.field, error.field)
        raise
    return job, rate_headers(job, at)


def _shape(job: Job, call: Call, *, is_chat: bool) -> Shape:
    facts = {
        "job": job.pk,
        "stage": job.stage,
        "card_version": job.card_version,
        "seed": job.settings.seed,
        "permalink": settings.PUBLIC_URL + reverse("generation", args=[job.pk]),
        # What a seed is a promise for: these weights, in fp32.
        "system_fingerprint": f"fp32-{job.weights_digest[:12]}",
    }
    prefix = "chatcmpl" if is_chat else "cmpl"
    return Shape(f"{prefix}-{job.pk}", call.model, int(job.created_at.timestamp()), is_chat, facts)


async def _whole(job: Job, shape: Shape) -> dict[str, Any]:
    """Wait for the end; a client that goes away stops the work."""
    pieces: list[dict[str, Any]] = []
    try:
        async for event in relay(job.pk):
            if event.kind == "tokens":
                pieces.extend(event.body)
            elif event.kind == "end":
                if not event.body["is_success"]:
                    raise _failure(event)
                samples = collect_pieces(pieces, job.settings.samples)
                return shape.whole(samples, event.body["usage"])
    except asyncio.CancelledError:
        await _stop(job)
        raise
    raise Unavailable("The stream ended without an end.")


async def _stream(job: Job, call: Call, shape: Shape) -> AsyncIterator[bytes]:
    """Write the events of a stream; a client that goes away stops the work."""
    is_over = False
    try:
        if shape.is_chat:
            for number in range(job.settings.samples):
                yield _event(shape.opening(number, with_usage=call.include_usage))
        async for event in relay(job.pk):
            is_over = event.kind == "end"
            for line in _lines(event, call, shape):
                yield line
    finally:
        if not is_over:
            await asyncio.shield(_stop(job))


def _lines(event: Event, call: Call, shape: Shape) -> list[bytes]:
    if event.kind == "wait":
        return [b": waiting\n\n"]
    if event.kind == "tokens":
        chunks = [
            shape.chunk(piece["sample"], piece["text"], piece["finish"], with_usage=call.include_usage)
            for piece in event.body
            if piece["text"] or piece["finish"]
        ]
        return [_event(chunk) for chunk in chunks]
    if event.kind != "end":
        return []
    if not event.body["is_success"]:
        return [_event({"error": body_of(_failure(event))})]
    usage = [_event(shape.usage_chunk(event.body["usage"]))] if call.include_usage else []
    return [*usage, b"data: [DONE]\n\n"]


def _event(data: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _failure(event: Event) -> PortalError:
    error = Unavailable(event.body["message"], code=event.body["reason"])
    if event.body["reason"] in (FinishReason.STOPPED, FinishReason.EXPIRED):
        error.status = 403
    elif event.body["reason"] == FinishReason.INVALID:
        error.status = 400
    return error


@sync_to_async
def _stop(job: Job) -> None:
    try:
        request_stop(job.pk, FinishReason.CANCELLED)
    except Unavailable:
        return  # without Redis nothing is running either
