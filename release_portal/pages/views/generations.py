"""Generations: the own history, one generation with its evidence, its live stream, and running it again."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from inference.contract import FinishReason, Function, StreamKind
from release_portal.access.lookups import decisions_for
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.decisions import Decision
from release_portal.core.declare import signed_in
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.generation.services import generate_again
from release_portal.jobs.lookups import generation_for, generations_for, sizes_generated_with
from release_portal.jobs.models import Job
from release_portal.jobs.relay import Event, relay
from release_portal.jobs.services import ACTION_OF, cancel_job
from release_portal.jobs.states import STATES
from release_portal.pages import showing
from release_portal.pages.downloads import generations_sheet, is_wanted
from release_portal.pages.forms.playground import fresh_key
from release_portal.pages.paging import filter_text, page_of
from release_portal.pages.words import FINISHES, state_pill, state_word

ENTRY_ID = re.compile(r"\d{1,20}-\d{1,20}")
PROMPT_SHOWN = 90
RETRY_MS = 1_000  # after which a browser reconnects when its connection broke


@signed_in
def generations(request: PortalRequest) -> HttpResponse:
    """The own history, newest first."""
    jobs = generations_for(request.actor)
    size, state = filter_text(request, "size"), filter_text(request, "state")
    found = jobs.filter(size__slug=size) if size else jobs
    found = found.filter(state=state) if state else found
    if is_wanted(request):
        return generations_sheet(found)
    page = page_of(request, found)
    context = {
        "page_obj": page,
        "rows": [{"job": job, "state": state_pill(job.state), "prompt": _start(job.prompt)} for job in page],
        "sizes": sizes_generated_with(request.actor),
        "states": [(slug, state_word(slug)) for slug in STATES],
        "size_slug": size,
        "state_slug": state,
    }
    return render(request, "generations/generations.html", context)


def _start(prompt: str) -> str:
    line = " ".join(prompt[: PROMPT_SHOWN * 2].split())
    return f"{line[:PROMPT_SHOWN]}…" if len(line) > PROMPT_SHOWN else line


@signed_in
def generation(request: PortalRequest, job_id: str) -> HttpResponse:
    """One generation: what was asked, what came, and what it was made with."""
    job = generation_for(request.actor, job_id)
    return _generation_page(request, job)


def _generation_page(request: PortalRequest, job: Job, error: PortalError | None = None) -> HttpResponse:
    of = _earlier(request, job)
    context = {
        **_evidence(request.actor, job, of),
        "stream": stream_of(job, of),
        "errors": [{"message": f"{error.reason} {error.change}".strip()}] if error else [],
        "permalink": request.build_absolute_uri(reverse("generation", args=[job.pk])),
        "playground_url": f"{showing.address('playground', job.size)}?from={job.pk}",
        "compare_url": f"{reverse('compare')}?{urlencode({'a': job.pk})}",
        "submit_key": fresh_key(),
        "breadcrumbs": [{"label": _("Generations"), "url": reverse("generations")}, {"label": job.pk}],
    }
    return render(request, "generations/generation.html", context, status=error.status if error else 200)


@signed_in
def facts(request: PortalRequest, job_id: str) -> HttpResponse:
    """The facts of a result, for the page that watched it being made; 202 while it is not settled."""
    job = generation_for(request.actor, job_id)
    if job.is_open:
        return HttpResponse(status=202)
    return render(request, "generations/facts.html", _evidence(request.actor, job, _earlier(request, job)))


@signed_in
def again(request: PortalRequest, job_id: str) -> HttpResponse:
    """Run the same prompt with the same settings and seed."""
    job = generation_for(request.actor, job_id)
    if request.method != "POST":
        return showing.see_other(reverse("generation", args=[job.pk]))
    key = request.POST.get("submit_key", "")[:80] or None
    try:
        fresh = generate_again(request.actor, job.pk, at=now(), submit_key=key)
    except PortalError as error:
        return _generation_page(request, job, error)
    return showing.see_other(f"{reverse('generation', args=[fresh.pk])}?{urlencode({'of': job.pk})}")


@signed_in
def stop(request: PortalRequest, job_id: str) -> HttpResponse:
    """Ask the worker to stop."""
    if request.method == "POST":
        cancel_job(request.actor, job_id)
    if request.htmx or request.headers.get("X-Requested-With") == "fetch":
        return HttpResponse(status=204)
    return showing.see_other(reverse("generation", args=[job_id]))


@signed_in
async def stream(request: PortalRequest, job_id: str) -> StreamingHttpResponse:
    """The live output as server-sent events, from any point of it."""
    actor = await request.aactor()
    job = await sync_to_async(generation_for)(actor, job_id)
    response = StreamingHttpResponse(
        _lines(actor, job, _after(request), _facts_url(job, request.GET.get("of", ""))),
        content_type="text/event-stream; charset=utf-8",
    )
    response["Cache-Control"], response["X-Accel-Buffering"] = "no-cache", "no"
    return response


async def _lines(actor: Actor, job: Job, after: str, facts_url: str) -> AsyncIterator[str]:
    yield f"retry: {RETRY_MS}\n\n"
    async for event in relay(job.pk, after=after, keeps_alive=True):
        if event.kind == StreamKind.END:
            if not event.id:  # the stream is gone, and with it what the reader had not read yet
                yield _line(Event("output", "", await sync_to_async(_kept_output)(actor, job)))
            event.body["message"] = await sync_to_async(_message)(actor, job, event.body)
            event.body["detail_url"] = facts_url
        yield _line(event)


def _kept_output(actor: Actor, job: Job) -> list[dict[str, Any]]:
    """Return the text that the settlement kept; none for a job that it has not ended."""
    return generation_for(actor, job.pk).output


def _line(event: Event) -> str:
    if event.kind == "wait":
        return ": still here\n\n"
    # An empty id takes back the one before: without the line a browser would give that to this event as well.
    return f"id: {event.id}\nevent: {event.kind}\ndata: {json.dumps(event.body)}\n\n"


def _message(actor: Actor, job: Job, end: dict[str, Any]) -> str:
    """Say why a permission was taken back, as the policy says it now."""
    decision = _decision(actor, job)
    if end["reason"] != FinishReason.STOPPED.value or decision:
        return str(end["message"])
    return _("Stopped. %(reason)s") % {"reason": decision.reason}


def _after(request: PortalRequest) -> str:
    """The newest entry that the reader has: a page names one in the address, its browser a later one in the header."""
    named = (request.headers.get("Last-Event-ID", ""), request.GET.get("last_event_id", ""))
    return next((entry for entry in named if ENTRY_ID.fullmatch(entry)), "0")


def stream_of(job: Job, of: Job | None = None) -> dict[str, Any]:
    """Return what the stream component needs."""
    query = f"?{urlencode({'of': of.pk})}" if of else ""
    return {
        "id": job.pk,
        "url": reverse("generation-stream", args=[job.pk]) + query,
        "stop_url": reverse("generation-stop", args=[job.pk]),
        "samples": range(job.settings.samples),
        "max_tokens": job.settings.max_tokens * job.settings.samples,
    }


def _facts_url(job: Job, of: str) -> str:
    return reverse("generation-facts", args=[job.pk]) + (f"?{urlencode({'of': of[:40]})}" if of else "")


def _earlier(request: PortalRequest, job: Job) -> Job | None:
    """The run that this one repeats, if the address names one of the reader's own."""
    asked = request.GET.get("of", "")[:40]
    return generations_for(request.actor).filter(pk=asked).exclude(pk=job.pk).first() if asked else None


def _decision(actor: Actor, job: Job) -> Decision:
    return decisions_for(actor, job.size, at=now())[ACTION_OF[Function(job.function)]]


def _evidence(actor: Actor, job: Job, of: Job | None) -> dict[str, Any]:
    return {
        "job": job,
        "state": state_pill(job.state),
        **outcome_of(actor, job),
        "decision": _decision(actor, job),
        "comparison": _comparison(job, of),
        "stops": [json.dumps(text, ensure_ascii=False) for text in job.settings.stop],
        "card_url": f"{showing.address('size-card', job.size)}?version={job.card_version}" if job.card_version else "",
        "size_url": showing.address("size", job.size),
    }


def outcome_of(actor: Actor, job: Job) -> dict[str, Any]:
    """Return what came, and how it ended in words."""
    return {
        "message": _message(actor, job, {"reason": job.finish_reason, "message": job.message}),
        "samples": [{**sample, "finish": FINISHES.get(sample["finish"], sample["finish"])} for sample in job.output],
    }


def _comparison(job: Job, of: Job | None) -> dict[str, Any] | None:
    """Whether the text equals that of the run it repeats; None while there is nothing to compare."""
    if of is None:
        return None
    texts, before = ([sample["text"] for sample in run.output] for run in (job, of))
    return {"of": of, "is_ready": bool(texts and before), "is_equal": texts == before}
