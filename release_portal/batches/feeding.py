"""Take batches on: submit what may run now, end what cannot, and close what is over.

Everything stands in the rows, so it may be asked at any time, by several at once, and after any crash: a line is
submitted and marked in one transaction that holds its batch.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from inference.contract import FinishReason
from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.access.quota import left_of
from release_portal.accounts.actors import actor_of
from release_portal.audit.services import record
from release_portal.batches.answering import FIELDS, code_of_stop, write_answer, write_not_run
from release_portal.batches.endpoints import Body, endpoint_of
from release_portal.batches.limits import most_in_flight
from release_portal.batches.models import OUTPUT, Batch, BatchFile, BatchLine
from release_portal.batches.rules import (
    BATCH,
    CANCELLING,
    DONE,
    REFUSED,
    RUNNING,
    is_worth_waiting,
    room_for,
    share_of,
)
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import PortalError, TooMuch, Unavailable, error_of
from release_portal.jobs.quotas import limits_of, quota_holder, usage_of
from release_portal.jobs.services import request_stop
from release_portal.jobs.workers import require_service

KEEPER = system_actor("batches")
# Lines that one look at a batch goes through; what is left waits for the next one, so that no batch keeps the others.
MOST_AT_ONCE = 100
RESULTS = ((DONE, "output_file_id", "output"), (REFUSED, "error_file_id", "errors"))


def open_batches() -> list[str]:
    """Return the batches that have not ended, oldest first."""
    return list(Batch.objects.open().order_by("created_at").values_list("pk", flat=True))


def advance_batch(batch_id: str, *, at: datetime) -> None:
    """Do for a batch what can be done now; called again it goes on from there."""
    batch = Batch.objects.open().filter(pk=batch_id).first()
    if batch is None:
        return
    if batch.is_closing(at):
        stop_lines(batch_id, at=at)
    else:
        _feed(batch_id, at)
    _close(batch_id, at)


def subject_of(batch: Batch) -> str:
    """Return the name of a batch in the record."""
    return f"batch:{batch.pk}"


def move(batch: Batch, name: str, who: str = "system") -> None:
    """Give a command of the lifecycle; raise NotNow where the batch stands elsewhere."""
    decision = BATCH.decide(name, batch.state, {who})
    if not decision:
        raise error_of(decision)
    batch.state = BATCH.command(name).target or batch.state


# --- Submitting ------------------------------------------------------------------------------------------------------


def _feed(batch_id: str, at: datetime) -> None:
    """Submit lines until there is no room, none waits, or a part of the portal does not answer."""
    share = share_of(most_in_flight(), Batch.objects.open().count())
    try:
        require_service(at=at)  # a Redis that does not answer must not be waited for inside a transaction
        for _ in range(MOST_AT_ONCE):
            if not _submit_next(batch_id, share, at):
                return
    except (Unavailable, TooMuch):
        return  # what was marked and not queued is ended by the settlement, and waits again


@transaction.atomic
def _submit_next(batch_id: str, share: int, at: datetime) -> bool:
    """Submit or refuse the next line; return whether another one may follow."""
    batch = _locked(batch_id)
    line = batch.lines.waiting().first() if batch and not batch.is_closing(at) else None
    if batch is None or line is None:
        return False
    actor, body, running = _actor_of(batch), line.request["body"], batch.lines.running().count()
    if running >= share or not _has_room(actor, body, share, running, at):
        return False
    try:
        with transaction.atomic():
            line.job, line.state = endpoint_of(batch.endpoint).submit(actor, body, at), RUNNING
    except PortalError as error:
        return _refused(line, error, running)
    line.save(update_fields=["job", "state"])
    return True


def _refused(line: BatchLine, error: PortalError, running: int) -> bool:
    """Fail a line with what the address would have said, unless it is worth waiting."""
    if is_worth_waiting(error, running):
        return False
    write_answer(line, endpoint_of(line.batch.endpoint).refusal(error))
    line.save(update_fields=FIELDS)
    return True


def _locked(batch_id: str) -> Batch | None:
    return Batch.objects.open().select_for_update(of=("self",)).select_related("owner").filter(pk=batch_id).first()


def _actor_of(batch: Batch) -> Actor:
    """Return its owner as they stand now; what a token made may do no more than that token."""
    owner = actor_of(batch.owner)
    return owner if batch.scopes is None else replace(owner, roles=frozenset(), scopes=frozenset(batch.scopes))


def _has_room(actor: Actor, body: Body, share: int, running: int, at: datetime) -> bool:
    """Whether another line may begin beside what its owner does; a line that may not run at all needs no room."""
    try:
        access = size_for(actor, str(body.get("model", "")), Action.GENERATE, at=at)
    except PortalError:
        return True
    limits = limits_of(access.grant, access.restrictions)
    left = left_of(limits, usage_of(quota_holder(actor, access.grant), at), at)
    return room_for(share, running, limits, left) > 0


# --- Ending ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def stop_lines(batch_id: str, *, at: datetime) -> None:
    """End the lines of a closing batch that are not begun, and ask the worker to stop the others."""
    batch = _locked(batch_id)
    if batch is None or not batch.lines.open().exists():
        return
    code = code_of_stop(batch.state, is_over=at >= batch.expires_at)
    waiting = list(batch.lines.waiting())
    for line in waiting:
        write_not_run(line, code)
    BatchLine.objects.bulk_update(waiting, FIELDS, batch_size=100)
    batch.stopped_at = batch.stopped_at or at
    batch.save(update_fields=["stopped_at"])
    running = [line.job_id for line in batch.lines.running() if line.job_id]
    transaction.on_commit(lambda: _stop_jobs(running))


def _stop_jobs(job_ids: Iterable[str]) -> None:
    try:
        for job_id in job_ids:
            request_stop(job_id, FinishReason.CANCELLED)
    except Unavailable:
        return  # the next look at the batch asks again


@transaction.atomic
def _close(batch_id: str, at: datetime) -> None:
    """End a batch of which no line is open; its results can be read from then on."""
    batch = _locked(batch_id)
    if batch is None or batch.lines.open().exists():
        return
    if batch.state == CANCELLING:
        move(batch, "close")
    else:
        move(batch, "finalize")
        move(batch, "expire" if batch.stopped_at else "complete")
    batch.ended_at = at
    counts = {state: _write_results(batch, state, field, name, at) for state, field, name in RESULTS}
    batch.save()
    record("batch.ended", actor=KEEPER, subject=subject_of(batch), at=at, data={"state": batch.state, **counts})


def _write_results(batch: Batch, state: str, field: str, name: str, at: datetime) -> int:
    """Make the file of the lines that ended in one state, if there are any; return how many there are."""
    lines = batch.lines.filter(state=state)
    count = lines.count()
    if count:
        size = lines.aggregate(size=Sum("answer_size"))["size"]
        file = BatchFile.objects.create(
            owner=batch.owner, purpose=OUTPUT, name=f"{batch.pk}_{name}.jsonl", size=size, batch=batch, holds=state,
            created_at=at,
        )  # fmt: skip
        setattr(batch, field, file.pk)
    return count
