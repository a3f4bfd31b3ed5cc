"""Keep a file, delete it, make a batch of it, cancel a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.db import IntegrityError, transaction

from release_portal.access.lookups import sizes_for
from release_portal.access.policy import Action
from release_portal.audit.services import record
from release_portal.batches.endpoints import Endpoint, endpoint_of, endpoints
from release_portal.batches.feeding import KEEPER, advance_batch, move, stop_lines, subject_of
from release_portal.batches.limits import most_bytes, most_lines
from release_portal.batches.lines import Line, Problem, Reading, check_file, named_url, read_lines
from release_portal.batches.lookups import batch_for, file_for
from release_portal.batches.models import INPUT, Batch, BatchFile, BatchLine
from release_portal.batches.rules import CANCELLING, LASTS, MOST_FILES, MOST_OPEN
from release_portal.batches.settling import ask_to_advance
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow, PortalError
from release_portal.core.keys import seal

LONGEST_NAME = 200


@dataclass(frozen=True)
class Order:
    """What somebody asks for.

    Args:
        file_id: an own file of requests.
        endpoint: the address of all of them; empty: that which the file names.
        metadata: words of the client's own.
        submit_key: the same key from the same account is the same batch, however often it is sent.
    """

    file_id: str
    endpoint: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    submit_key: str | None = None


def keep_file(actor: Actor, name: str, content: bytes, *, at: datetime) -> BatchFile:
    """Keep a file of requests, sealed; its lines are read when a batch is made of it.

    Raises:
        NotAllowed: there is nothing that the actor may generate with.
        InvalidInput: it is empty, too large, or has too many lines.
        NotNow: the account keeps as many files as it may.
    """
    _require_use(actor, at)
    lines = check_file(content, most_bytes=most_bytes(), most_lines=most_lines())
    return _keep(actor, _clean(name), content, lines, at)


@transaction.atomic
def _keep(actor: Actor, name: str, content: bytes, lines: int, at: datetime) -> BatchFile:
    if BatchFile.objects.filter(owner_id=actor.account_id, purpose=INPUT).count() >= MOST_FILES:
        reason = f"Your account keeps {MOST_FILES} files already."
        raise NotNow(reason, code="too_many_files", field="file", change="Delete one that you do not need any more.")
    file = BatchFile.objects.create(
        owner_id=actor.account_id, purpose=INPUT, name=name, size=len(content),
        sealed_content=BatchFile.sealed(content), created_at=at,
    )  # fmt: skip
    data = {"bytes": len(content), "lines": lines}
    record("batch.file_kept", actor=actor, subject=f"file:{file.pk}", at=at, data=data)
    return file


def _clean(name: str) -> str:
    """Return a name as it is listed: no path, nothing that is not printed."""
    last = name.replace("\\", "/").rpartition("/")[2]
    return "".join(one for one in last if one.isprintable())[:LONGEST_NAME] or "requests.jsonl"


@transaction.atomic
def delete_file(actor: Actor, file_id: str, *, at: datetime) -> None:
    """Delete a file with its content; a batch that was made of it goes on, for it has its lines."""
    _require_scope(actor)
    file = file_for(actor, file_id)
    if file.batch_id is not None:
        BatchLine.objects.filter(batch_id=file.batch_id, state=file.holds).update(sealed_answer=b"")
    record("batch.file_deleted", actor=actor, subject=f"file:{file.pk}", at=at, data={"bytes": file.size})
    file.delete()


def create_batch(actor: Actor, order: Order, *, at: datetime) -> Batch:
    """Read every line of a file; begin the batch when all are right, else keep it as failed with every line named.

    Raises:
        InvalidInput: the endpoint is not offered, or the file holds results.
        NotAllowed: there is nothing that the actor may generate with.
        NotFound: there is no such file of the actor's.
        NotNow: as many batches of the account are open as may be.
    """
    _require_use(actor, at)
    file = file_for(actor, order.file_id)
    endpoint = endpoint_of(order.endpoint or named_url(file.content, endpoints()))
    if file.purpose != INPUT:
        raise InvalidInput("This file holds results.", field="input_file_id", change="Name a file with purpose batch.")
    if earlier := _same_submission(actor, order):
        return earlier
    try:
        batch = _create(actor, order, read_lines(file.content, endpoint.url, endpoint.checker(actor, at)), endpoint, at)
    except IntegrityError:
        if earlier := _same_submission(actor, order):  # the second click won the race
            return earlier
        raise
    return batch_for(actor, batch.pk)


def send_batch(actor: Actor, name: str, content: bytes, order: Order, *, at: datetime) -> Batch:
    """Keep a file and make a batch of it in one act; where no batch comes of it the file is not kept either.

    Args:
        order: what is asked for; it names no file yet.

    Raises:
        PortalError: as for `keep_file` and `create_batch`.
    """
    if earlier := _same_submission(actor, order):
        return earlier
    file = keep_file(actor, name, content, at=at)
    try:
        return create_batch(actor, replace(order, file_id=file.pk), at=at)
    except PortalError:
        delete_file(actor, file.pk, at=at)
        raise


def _same_submission(actor: Actor, order: Order) -> Batch | None:
    if not order.submit_key:
        return None
    return Batch.objects.filter(owner_id=actor.account_id, submit_key=order.submit_key).counted().first()


@transaction.atomic
def _create(actor: Actor, order: Order, reading: Reading, endpoint: Endpoint, at: datetime) -> Batch:
    if Batch.objects.open().filter(owner_id=actor.account_id).count() >= MOST_OPEN:
        reason = f"{MOST_OPEN} of your batches are open already."
        raise NotNow(reason, code="too_many_batches", change="Wait until one has ended, or cancel one.")
    batch = Batch(
        owner_id=actor.account_id, scopes=None if actor.scopes is None else sorted(actor.scopes),
        submit_key=order.submit_key, endpoint=endpoint.url, input_file_id=order.file_id, metadata=dict(order.metadata),
        created_at=at, expires_at=at + LASTS,
    )  # fmt: skip
    if reading.problems:
        return _reject(actor, batch, reading.problems, at)
    move(batch, "begin")
    batch.save(force_insert=True)
    BatchLine.objects.bulk_create([_row(batch, line) for line in reading.lines], batch_size=200)
    _record_made(actor, batch, len(reading.lines), at)
    transaction.on_commit(lambda: ask_to_advance(batch.pk))
    return batch


def _row(batch: Batch, line: Line) -> BatchLine:
    asked = {"custom_id": line.custom_id, "body": line.body}
    return BatchLine(batch=batch, number=line.number, sealed_request=BatchLine.sealed(asked))


def _reject(actor: Actor, batch: Batch, problems: tuple[Problem, ...], at: datetime) -> Batch:
    """Keep what was wrong, and nothing of the lines: none of them runs."""
    move(batch, "reject")
    batch.sealed_errors = seal(json.dumps([one.to_data() for one in problems]))
    batch.ended_at = at
    batch.save(force_insert=True)
    _record_made(actor, batch, 0, at)
    data = {"state": batch.state, "problems": len(problems)}
    record("batch.ended", actor=KEEPER, subject=subject_of(batch), at=at, data=data)
    return batch


def _record_made(actor: Actor, batch: Batch, lines: int, at: datetime) -> None:
    data = {"file": batch.input_file_id, "endpoint": batch.endpoint, "lines": lines}
    record("batch.created", actor=actor, subject=subject_of(batch), at=at, data=data)


def cancel_batch(actor: Actor, batch_id: str, *, at: datetime) -> Batch:
    """Begin nothing more of an own batch and stop what runs; what is done is kept. Told twice, it is told once.

    Raises:
        NotFound: there is no such batch of the actor's.
        NotNow: it has ended.
    """
    _require_scope(actor)
    _cancel(actor, batch_for(actor, batch_id).pk, at)
    advance_batch(batch_id, at=at)  # where nothing runs it is over at once
    return batch_for(actor, batch_id)


@transaction.atomic
def _cancel(actor: Actor, batch_id: str, at: datetime) -> None:
    batch = Batch.objects.select_for_update().get(pk=batch_id)
    if batch.state == CANCELLING:
        return
    move(batch, "cancel", "owner")
    batch.save(update_fields=["state"])
    record("batch.cancelled", actor=actor, subject=subject_of(batch), at=at)
    stop_lines(batch_id, at=at)


def _require_use(actor: Actor, at: datetime) -> None:
    """Refuse who could not run a single line now."""
    _require_scope(actor)
    if not sizes_for(actor, Action.GENERATE, at=at).exists():
        raise NotAllowed(
            "There is no size with which you may generate now.",
            code="no_size",
            rule="batches: a size to generate with",
            change="Apply for access to one; the catalogue says which are open.",
        )


def _require_scope(actor: Actor) -> None:
    if actor.scopes is not None and "generate" not in actor.scopes:
        raise NotAllowed(
            "This token does not carry the scope generate.", code="scope", rule="token scope x batches",
            change="Create a token with this scope.",
        )  # fmt: skip
