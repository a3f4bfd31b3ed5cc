"""Batches: send a file of requests, see how far it is, take the results out, cancel it."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import decisions_for, sizes_for
from release_portal.access.policy import Action
from release_portal.batches.endpoints import endpoint_of, endpoints
from release_portal.batches.lookups import (
    batch_for,
    batches_for,
    failed_lines_of,
    file_for,
    files_of,
    names_of_inputs,
)
from release_portal.batches.models import Batch, BatchFile, BatchLine
from release_portal.batches.rules import may_cancel
from release_portal.batches.services import cancel_batch, delete_file, send_batch
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.attaching import SANDBOX, size_words
from release_portal.pages.errors import with_retry
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.batches import BatchFileForm
from release_portal.pages.forms.playground import fresh_key
from release_portal.pages.paging import page_of
from release_portal.registry.models import ModelSize

FAILURES_SHOWN, PROBLEMS_SHOWN = 10, 50
EXAMPLE_PROMPTS = ("Once upon a time", "The sea is")
STATES = {
    "validating": {"label": gettext_lazy("being read"), "tone": "info"},
    "failed": {"label": gettext_lazy("not begun: lines are wrong"), "tone": "bad"},
    "in_progress": {"label": gettext_lazy("in progress"), "tone": "info"},
    "finalizing": {"label": gettext_lazy("ending"), "tone": "info"},
    "completed": {"label": gettext_lazy("completed"), "tone": "good"},
    "expired": {"label": gettext_lazy("expired"), "tone": "warn"},
    "cancelling": {"label": gettext_lazy("being cancelled"), "tone": "warn"},
    "cancelled": {"label": gettext_lazy("cancelled"), "tone": ""},
}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def batches(request: PortalRequest) -> HttpResponse:
    """Send a file, or read why none is taken; below, the own batches."""
    at = now()
    sizes = sizes_for(request.actor, Action.GENERATE, at=at)
    if request.method == "POST":
        return _send(request, sizes, at)
    return _page(request, BatchFileForm(initial={"submit_key": fresh_key()}), sizes, at)


def _send(request: PortalRequest, sizes: QuerySet[ModelSize], at: datetime) -> HttpResponse:
    form = BatchFileForm(request.POST, request.FILES)
    try:
        made = send_batch(request.actor, *form.upload(), form.order(), at=at)
    except PortalError as error:
        form.refuse(error, submit_key=fresh_key())
        return with_retry(_page(request, form, sizes, at, error.status), error, at)
    return showing.see_other(reverse("batch", args=[made.pk]))


def _page(
    request: PortalRequest, form: BatchFileForm, sizes: QuerySet[ModelSize], at: datetime, status: int = 200
) -> HttpResponse:
    is_open = bool(sizes)
    page = page_of(request, batches_for(request.actor))
    names = names_of_inputs(request.actor, page)
    context = {
        "form": form,
        "shows_form": is_open or form.is_bound,
        "refusals": [] if is_open else _refusals(request, at),
        "example": _example(sizes),
        "addresses": ", ".join(endpoints()),
        "page_obj": page,
        "rows": [{**_progress(one), "name": names.get(one.input_file_id, one.pk)} for one in page],
    }
    return render(request, "batches/batches.html", context, status=status)


def _refusals(request: PortalRequest, at: datetime) -> list[dict[str, Any]]:
    """Every size that the reader may see, with what the policy says about generating with it."""
    return [
        {"label": size.name, "decision": decisions_for(request.actor, size, at=at)[Action.GENERATE]}
        for size in sizes_for(request.actor, Action.VIEW, at=at)
    ]


def _example(sizes: QuerySet[ModelSize]) -> str:
    """Return a file that can be sent as it is by whoever may use a size."""
    model = next((size.slug for size in sizes[:1]), "family/size")
    url = endpoints()[0]
    lines = [
        {
            "custom_id": f"request-{number}",
            "method": "POST",
            "url": url,
            "body": {"model": model, **endpoint_of(url).example(prompt)},
        }
        for number, prompt in enumerate(EXAMPLE_PROMPTS, 1)
    ]
    return "\n".join(json.dumps(line) for line in lines)


def _progress(batch: Batch) -> dict[str, Any]:
    ended = batch.done + batch.failed
    return {"batch": batch, "state": STATES[batch.state], "ended": ended, "may_cancel": may_cancel(batch.state)}


@signed_in
def batch(request: PortalRequest, batch_id: str) -> HttpResponse:
    """One batch: how far it is, what was wrong with it, and its files."""
    found = batch_for(request.actor, batch_id)
    context = {
        **_progress(found),
        **_result(request, found),
        "breadcrumbs": [{"label": _("Batches"), "url": reverse("batches")}, {"label": found.pk}],
    }
    return render(request, "batches/batch.html", context)


@signed_in
def progress(request: PortalRequest, batch_id: str) -> HttpResponse:
    """How far a batch is, for a page that stands open; on its own page also what came of it."""
    found = batch_for(request.actor, batch_id)
    is_whole = request.GET.get("whole") == "1"
    context = {**_progress(found), "is_fragment": True, "is_whole": is_whole}
    return render(request, "batches/state.html", context | (_result(request, found) if is_whole else {}))


def _result(request: PortalRequest, found: Batch) -> dict[str, Any]:
    problems = found.problems
    return {
        "page_obj": page_of(request, problems, PROBLEMS_SHOWN),
        "problem_count": len(problems),
        "files": [_file_row(found, one) for one in files_of(request.actor, found)],
        "failures": [_failure(line) for line in failed_lines_of(found, FAILURES_SHOWN)],
        "metadata": list(found.metadata.items()),
        "is_whole": True,
    }


def _file_row(found: Batch, one: BatchFile) -> dict[str, Any]:
    labels = {
        found.output_file_id: _("Results: the requests that were answered"),
        found.error_file_id: _("The requests that failed"),
        found.input_file_id: _("The file that you sent"),
    }
    return {"file": one, "label": labels[one.pk], "size": size_words(one.size)}


def _failure(line: BatchLine) -> dict[str, Any]:
    """Return a line that failed, with what its owner reads of it in the results."""
    told = json.loads(line.answer)
    error = told["error"] or told["response"]["body"]["error"]
    return {"line": line, "custom_id": told["custom_id"], "message": error["message"]}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: PortalRequest, batch_id: str) -> HttpResponse:
    """Ask whether it is meant, then begin nothing more and stop what runs."""
    found = batch_for(request.actor, batch_id)
    page = reverse("batch", args=[found.pk])
    if request.method == "POST":
        cancel_batch(request.actor, found.pk, at=now())
        messages.success(request, _("Nothing more of the batch is begun. What is done is kept."))
        return showing.see_other(page)
    crumbs = [{"label": _("Batches"), "url": reverse("batches")}, {"label": found.pk, "url": page}]
    context = {
        **_progress(found),
        "form": ServiceForm(),
        "effects": [
            _("Requests that wait are not begun any more."),
            _("Requests that run are stopped; what they have used is charged."),
            _("Results that are there are kept, and you can take them out."),
            _("It cannot be taken up again; the file can be sent again."),
        ],
        "page_url": page,
        "breadcrumbs": [*crumbs, {"label": _("Cancel")}],
    }
    return render(request, "batches/cancel.html", context)


@signed_in
@never_cache
def file(request: PortalRequest, file_id: str) -> HttpResponse:
    """One of the own files, as something to save."""
    found = file_for(request.actor, file_id)
    response = HttpResponse(found.content, content_type="application/jsonl")
    response["Content-Disposition"] = content_disposition_header(True, found.name) or "attachment"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Security-Policy"] = SANDBOX
    return response


@signed_in
def file_delete(request: PortalRequest, file_id: str) -> HttpResponse:
    """Delete one of the own files with its content."""
    found = file_for(request.actor, file_id)
    back = request.POST.get("batch", "")[:40]
    if request.method == "POST":
        delete_file(request.actor, found.pk, at=now())
        messages.success(request, _("%(name)s is deleted.") % {"name": found.name})
    known = batches_for(request.actor).filter(pk=back.replace("\x00", "")).first()
    return showing.see_other(reverse("batch", args=[known.pk]) if known else reverse("batches"))
