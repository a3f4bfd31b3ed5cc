"""The receipt of a withdrawal: opened with the decision, completed by the settlement of the last job it ended."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db.models import Q, QuerySet

from inference.contract import FinishReason
from release_portal.access.lookups import grant_for
from release_portal.access.models import Grant
from release_portal.access.services import grant_subject
from release_portal.accounts.models import ApiToken
from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.epochs.services import grant_key, numbers_of
from release_portal.jobs.models import Job, Receipt

SETTLEMENT = system_actor("settlement")
Line = Callable[[Receipt], int]
_LINES: dict[str, Line] = {}


def register_line(code: str, count: Line) -> None:
    """Register what a room counts on a completed receipt; called in its `ready`."""
    _LINES[code] = count


def open_receipt(grant: Grant, kind: str, at: datetime) -> None:
    """Begin the receipt of a withdrawal; it is completed at once when the grant carries no work."""
    # Under their lock no settlement ends one of them between this look at them and the receipt's commit.
    list(Job.objects.open().select_for_update().filter(grant=grant).values_list("pk", flat=True))
    epoch = numbers_of([grant_key(grant.pk)])[grant_key(grant.pk)]
    receipt = Receipt.objects.create(grant=grant, kind=kind, decided_at=at, epoch=epoch)
    _complete_when_settled(receipt, at)


def continue_receipts(job: Job, samples: list[dict[str, Any]], at: datetime) -> None:
    """Complete what waited for this job; of two last jobs at once, the lock lets the second see the first."""
    waiting = Receipt.objects.select_for_update().filter(completed_at=None)
    for receipt in waiting.filter(grant_id=job.grant_id) if job.grant_id else ():
        _complete_when_settled(receipt, at)


def jobs_of(receipt: Receipt) -> QuerySet[Job]:
    """Return the jobs that the grant carried when it was withdrawn."""
    before = Job.objects.filter(grant_id=receipt.grant_id, created_at__lte=receipt.decided_at)
    return before.filter(Q(ended_at=None) | Q(ended_at__gt=receipt.decided_at))


def receipts_for(actor: Actor, grant_id: str) -> QuerySet[Receipt]:
    """Return the receipts of a grant that the actor may see: its holder and staff, newest first."""
    return Receipt.objects.filter(grant=grant_for(actor, grant_id))


def _complete_when_settled(receipt: Receipt, at: datetime) -> None:
    jobs = list(jobs_of(receipt))
    if any(job.is_open for job in jobs):
        return
    _fill(receipt, jobs)
    receipt.lines = {code: count(receipt) for code, count in sorted(_LINES.items())}
    receipt.completed_at = at
    receipt.save()
    record("receipt.completed", actor=SETTLEMENT, subject=grant_subject(receipt.grant), at=at, data=_facts(receipt))


def _fill(receipt: Receipt, jobs: list[Job]) -> None:
    started = [job for job in jobs if job.started_at is not None]
    lost = [job for job in jobs if job.started_at is None and job.finish_reason == FinishReason.BROKER_LOST]
    receipt.running_ended, receipt.lost = len(started), len(lost)
    receipt.queued_refused = len(jobs) - len(started) - len(lost)
    receipt.last_start_at = max((job.started_at for job in started if job.started_at), default=None)
    receipt.last_token_at = max((job.last_token_at for job in started if job.last_token_at), default=None)
    receipt.last_end_at = max((job.ended_at for job in jobs if job.ended_at), default=None)


def _facts(receipt: Receipt) -> dict[str, Any]:
    """Return what the record keeps: the row as it stands, times as text."""
    times = ("decided_at", "last_start_at", "last_token_at", "last_end_at")
    moments = {name: getattr(receipt, name) for name in times}
    return {
        "receipt": receipt.pk,
        "kind": receipt.kind,
        "epoch": receipt.epoch,
        "running_ended": receipt.running_ended,
        "queued_refused": receipt.queued_refused,
        "lost": receipt.lost,
        "lines": receipt.lines,
        **{name: moment.isoformat() if moment else "" for name, moment in moments.items()},
    }


def count_api_tokens(receipt: Receipt) -> int:
    """Count the live API tokens of the holder: they stay, and each request with them asks for the grant anew."""
    return ApiToken.objects.usable(receipt.decided_at).filter(user_id=receipt.grant.holder_id).count()
