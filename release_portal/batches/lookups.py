"""Fetch files and batches for somebody who may see them: their owner, and nobody else."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from django.db.models import Q, QuerySet

from release_portal.batches.models import Batch, BatchFile, BatchLine
from release_portal.batches.rules import REFUSED
from release_portal.core.actors import Actor
from release_portal.core.decisions import may_not
from release_portal.core.errors import InvalidInput, NotFound, error_of

Row = TypeVar("Row", Batch, BatchFile)
READING = frozenset({"jobs:read", "generate"})


def batches_for(actor: Actor) -> QuerySet[Batch]:
    """Return the actor's own batches with their counts, newest first; a token needs the scope jobs:read or generate."""
    if not actor.is_person:
        return Batch.objects.none()
    _require_scope(actor)
    return Batch.objects.filter(owner_id=actor.account_id).counted().order_by("-created_at", "-pk")


def batch_for(actor: Actor, batch_id: str) -> Batch:
    """Return one of the actor's own batches, with its counts."""
    batch = batches_for(actor).filter(pk=batch_id).first()
    if batch is None:
        raise NotFound("There is no batch of this id.", change="Your batches are listed on their page.")
    return batch


def files_for(actor: Actor) -> QuerySet[BatchFile]:
    """Return the actor's own files, newest first, without their content; a token needs the same scopes."""
    if not actor.is_person:
        return BatchFile.objects.none()
    _require_scope(actor)
    return BatchFile.objects.filter(owner_id=actor.account_id).defer("sealed_content")


def file_for(actor: Actor, file_id: str) -> BatchFile:
    """Return one of the actor's own files."""
    file = files_for(actor).filter(pk=file_id).first()
    if file is None:
        raise NotFound("There is no file of this id.", change="Your files are listed at GET /v1/files.")
    return file


def files_of(actor: Actor, batch: Batch) -> list[BatchFile]:
    """Return what is there of the files of a batch that was looked up: its results, its failures, its input."""
    ids = [batch.output_file_id, batch.error_file_id, batch.input_file_id]
    found = files_for(actor).in_bulk([one for one in ids if one])
    return [found[one] for one in ids if one in found]


def names_of_inputs(actor: Actor, batches: Iterable[Batch]) -> dict[str, str]:
    """Return what the input files of batches are called, by their ids; a deleted one has no name any more."""
    ids = [batch.input_file_id for batch in batches]
    return dict(files_for(actor).filter(pk__in=ids).values_list("pk", "name"))


def failed_lines_of(batch: Batch, most: int) -> list[BatchLine]:
    """Return the first lines of a batch that failed and whose answers were not deleted, for its owner's page."""
    failed = batch.lines.filter(state=REFUSED).exclude(sealed_answer=b"")
    return list(failed.order_by("number")[:most])


def _require_scope(actor: Actor) -> None:
    if actor.scopes is not None and not actor.scopes & READING:
        reason = "This token does not carry the scope jobs:read."
        raise error_of(may_not("scope", reason, "token scope x read batches", "Create a token with this scope."))


def part_of(rows: QuerySet[Row], after: str, limit: int, *, is_ascending: bool = False) -> tuple[list[Row], bool]:
    """Return the rows behind one of them, and whether more follow.

    Args:
        rows: what the actor may see, newest first.
        after: id of the last row that is known; empty for the beginning.

    Raises:
        InvalidInput: there is no such row among them.
    """
    order, side = ("created_at", "gt") if is_ascending else ("-created_at", "lt")
    if after:
        last = rows.filter(pk=after).values_list("created_at", flat=True).first()
        if last is None:
            raise InvalidInput("There is nothing of this id in the list.", field="after", change="Begin anew.")
        same = Q(created_at=last, **{f"pk__{side}": after})
        rows = rows.filter(Q(**{f"created_at__{side}": last}) | same)
    found = list(rows.order_by(order, "pk" if is_ascending else "-pk")[: limit + 1])
    return found[:limit], len(found) > limit
