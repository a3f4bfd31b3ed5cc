"""The client's objects for files and batches, and their lists."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from release_portal.batches.models import Batch, BatchFile
from release_portal.batches.rules import CANCELLED, CANCELLING, COMPLETED, EXPIRED, FAILED, WINDOW


def file_object(file: BatchFile) -> dict[str, Any]:
    """Return a file as the client knows it."""
    return {
        "id": file.pk,
        "object": "file",
        "bytes": file.size,
        "created_at": _seconds(file.created_at),
        "expires_at": None,
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
        "status_details": None,
    }


def batch_object(batch: Batch) -> dict[str, Any]:
    """Return a batch as the client knows it; it was fetched with its counts."""
    began = None if batch.state == FAILED else batch.created_at
    return {
        "id": batch.pk,
        "object": "batch",
        "endpoint": batch.endpoint,
        "errors": {"object": "list", "data": batch.problems} if batch.state == FAILED else None,
        "input_file_id": batch.input_file_id,
        "completion_window": WINDOW,
        "status": batch.state,
        "output_file_id": batch.output_file_id or None,
        "error_file_id": batch.error_file_id or None,
        "created_at": _seconds(batch.created_at),
        "in_progress_at": _seconds(began),
        "expires_at": _seconds(batch.expires_at),
        **_ends(batch),
        "request_counts": {"total": batch.total, "completed": batch.done, "failed": batch.failed},
        "metadata": batch.metadata or None,
    }


def _ends(batch: Batch) -> dict[str, int | None]:
    """Return the times of a batch's later states; results are put together in the moment in which it ends."""
    is_cancelled = batch.state in (CANCELLING, CANCELLED)
    ended = {f"{state}_at": batch.ended_at if batch.state == state else None for state in (COMPLETED, FAILED, EXPIRED)}
    times = {
        **ended,
        "finalizing_at": batch.ended_at if batch.state in (COMPLETED, EXPIRED) else None,
        "cancelling_at": batch.stopped_at if is_cancelled else None,
        "cancelled_at": batch.ended_at if batch.state == CANCELLED else None,
    }
    return {name: _seconds(at) for name, at in times.items()}


def list_object(items: Sequence[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """Return a part of a list as the client pages through it."""
    ends = {"first_id": items[0]["id"], "last_id": items[-1]["id"]} if items else {"first_id": None, "last_id": None}
    return {"object": "list", "data": list(items), **ends, "has_more": has_more}


def _seconds(at: datetime | None) -> int | None:
    return int(at.timestamp()) if at else None
