"""Files and batches of /v1."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.http.multipartparser import MultiPartParserError
from django.utils.datastructures import MultiValueDictKeyError

from release_portal.batches.lookups import batch_for, batches_for, file_for, files_for, part_of
from release_portal.batches.models import BatchFile
from release_portal.batches.services import Order, cancel_batch, create_batch, delete_file, keep_file
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.errors import InvalidInput
from release_portal.openai_api.auth import caller
from release_portal.openai_api.batch_parameters import (
    Paging,
    check_upload_fields,
    read_batch,
    read_batches_query,
    read_files_query,
)
from release_portal.openai_api.batch_shapes import batch_object, file_object, list_object
from release_portal.openai_api.errors import openai_view
from release_portal.openai_api.parameters import read_json


@openai_view("GET", "POST")
async def files(request: HttpRequest) -> HttpResponse:
    """List the own files, or keep one."""
    actor = await caller(request)
    if request.method == "GET":
        return JsonResponse(await _listed(files_for, file_object, actor, read_files_query(request.GET.dict())))
    return JsonResponse(await _keep(request, actor))


@openai_view("GET", "DELETE")
async def file(request: HttpRequest, file_id: str) -> HttpResponse:
    """Return or delete one of the own files."""
    actor = await caller(request)
    if request.method == "GET":
        return JsonResponse(file_object(await sync_to_async(file_for)(actor, file_id)))
    await sync_to_async(delete_file)(actor, file_id, at=now())
    return JsonResponse({"id": file_id, "object": "file", "deleted": True})


@openai_view("GET")
async def file_content(request: HttpRequest, file_id: str) -> HttpResponseBase:
    """Return what one of the own files holds, as it was sent or as the results came."""
    actor = await caller(request)
    found = await sync_to_async(file_for)(actor, file_id)
    response = StreamingHttpResponse(_pieces(found), content_type="application/jsonl")
    response["Content-Disposition"] = f'attachment; filename="{found.pk}.jsonl"'
    response["X-Content-Type-Options"], response["Cache-Control"] = "nosniff", "no-store"
    return response


@openai_view("GET", "POST")
async def batches(request: HttpRequest) -> HttpResponse:
    """List the own batches, or make one."""
    actor = await caller(request)
    if request.method == "GET":
        return JsonResponse(await _listed(batches_for, batch_object, actor, read_batches_query(request.GET.dict())))
    call = read_batch(read_json(request.body))
    order = Order(call.file_id, call.endpoint, call.metadata)
    return JsonResponse(batch_object(await sync_to_async(create_batch)(actor, order, at=now())))


@openai_view("GET")
async def batch(request: HttpRequest, batch_id: str) -> HttpResponse:
    """Return one of the own batches: its state and how far it is."""
    actor = await caller(request)
    return JsonResponse(batch_object(await sync_to_async(batch_for)(actor, batch_id)))


@openai_view("POST")
async def batch_cancel(request: HttpRequest, batch_id: str) -> HttpResponse:
    """Begin nothing more of a batch and stop what runs."""
    actor = await caller(request)
    return JsonResponse(batch_object(await sync_to_async(cancel_batch)(actor, batch_id, at=now())))


@sync_to_async
def _keep(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    name, content = _sent_file(request)
    return file_object(keep_file(actor, name, content, at=now()))


def _sent_file(request: HttpRequest) -> tuple[str, bytes]:
    """Return name and bytes of the part named `file`; raise InvalidInput naming what else is wrong."""
    try:
        fields, sent = request.POST.dict(), request.FILES
    except (MultiPartParserError, MultiValueDictKeyError, UnicodeError) as error:
        change = "Let your client's library write the parts."
        raise InvalidInput("The parts of the body cannot be read.", code="invalid_multipart", change=change) from error
    check_upload_fields(fields)
    if set(sent) != {"file"}:
        change = "Send multipart/form-data with the parts file and purpose."
        raise InvalidInput("There must be one file, in the part named file.", field="file", change=change)
    (found,) = sent.getlist("file")[:1]
    return found.name or "", found.read()


@sync_to_async
def _listed(
    rows_of: Callable[[Actor], Any], shape: Callable[[Any], dict[str, Any]], actor: Actor, paging: Paging
) -> dict[str, Any]:
    rows = rows_of(actor).filter(purpose=paging.purpose) if paging.purpose else rows_of(actor)
    found, has_more = part_of(rows, paging.after, paging.limit, is_ascending=paging.is_ascending)
    return list_object([shape(row) for row in found], has_more=has_more)


async def _pieces(found: BatchFile) -> AsyncIterator[bytes]:
    """Yield a file part by part, so that no long result stands in memory as a whole."""
    pieces = found.pieces()
    while (piece := await _next(pieces)) is not None:
        yield piece


@sync_to_async
def _next(pieces: Iterator[bytes]) -> bytes | None:
    return next(pieces, None)
