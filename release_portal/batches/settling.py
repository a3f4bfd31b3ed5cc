"""The end of a job that is a line: its answer is written, or it waits once more; in the settlement's transaction."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import transaction
from kombu.exceptions import OperationalError

from inference.contract import FinishReason
from release_portal.batches.answering import FIELDS, code_of_stop, write_answer, write_not_run
from release_portal.batches.endpoints import endpoint_of
from release_portal.batches.models import BatchLine
from release_portal.batches.rules import FAULTY, WAITING, is_tried_again
from release_portal.celery import app
from release_portal.core.errors import PortalError
from release_portal.jobs.models import Job

logger = logging.getLogger(__name__)

TASK = "portal.advance_batch"


def end_line(job: Job, samples: list[dict[str, Any]], at: datetime) -> None:
    """Write what became of the line whose job this is; jobs of no batch are none of its business."""
    line = BatchLine.objects.select_for_update(of=("self",)).select_related("batch").filter(job=job).first()
    if line is None:
        return
    reason = FinishReason(job.finish_reason)
    if not line.batch.is_closing(at) and is_tried_again(reason, line.faults):
        line.state, line.job, line.faults = WAITING, None, line.faults + (reason in FAULTY)
        line.save(update_fields=["state", "job", "faults"])
        return  # the next look at the batch submits it, not this very moment
    try:
        _write(line, job, reason, samples, at)
    except (PortalError, KeyError, TypeError, ValueError):  # written by another version: the job must still end
        logger.exception("the answer of %s cannot be written", job.pk)
        write_not_run(line, "answer_lost")
    line.save(update_fields=FIELDS)
    transaction.on_commit(lambda: ask_to_advance(line.batch_id))


def _write(line: BatchLine, job: Job, reason: FinishReason, samples: list[dict[str, Any]], at: datetime) -> None:
    batch, endpoint = line.batch, endpoint_of(line.batch.endpoint)
    if reason.is_success:
        write_answer(line, endpoint.answer(job, line.request["body"], samples))
    elif reason is FinishReason.CANCELLED:
        write_not_run(line, code_of_stop(batch.state, is_over=at >= batch.expires_at))
    else:
        write_answer(line, endpoint.failure(job))


def ask_to_advance(batch_id: str) -> None:
    """Have the portal's own worker take a batch on; without a queue its next look does."""
    try:
        app.send_task(TASK, args=[batch_id], retry=False, ignore_result=True)
    except (OSError, OperationalError) as error:
        logger.warning("a batch goes on later: %s", type(error).__name__)
