"""BatchFile, Batch and BatchLine: what came in, what is worked off, and one row for each request."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Count, Q

from release_portal.batches.rules import (
    DONE,
    IN_PROGRESS,
    LINE_STATES,
    OPEN,
    OPEN_LINES,
    REFUSED,
    RUNNING,
    STATES,
    VALIDATING,
    WAITING,
)
from release_portal.core.keys import seal, seal_bytes, unseal, unseal_bytes
from release_portal.jobs.models import Job

INPUT, OUTPUT = "batch", "batch_output"
READ_AT_ONCE = 100


def new_file_id() -> str:
    """Return a public id that cannot be guessed."""
    return f"file-{secrets.token_hex(12)}"


def new_batch_id() -> str:
    """Return a public id that cannot be guessed."""
    return f"batch_{secrets.token_hex(12)}"


class BatchQuerySet(models.QuerySet["Batch"]):
    """Words for batches."""

    def open(self) -> Self:
        """Batches that have not ended."""
        return self.filter(state__in=OPEN)

    def counted(self) -> Self:
        """With the number of their lines, of those that are done, and of those that failed."""
        return self.annotate(
            total=Count("lines"),
            done=Count("lines", filter=Q(lines__state=DONE)),
            failed=Count("lines", filter=Q(lines__state=REFUSED)),
        )


class Batch(models.Model):
    """Many requests to one address, by one account, within one day."""

    id = models.CharField(max_length=32, primary_key=True, default=new_batch_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="batches")
    scopes = models.JSONField(null=True)  # of the token that made it: its lines may no more; None: signed in
    submit_key = models.CharField(max_length=80, null=True, blank=True)  # noqa: DJ001 - NULL: no key, never equal
    endpoint = models.CharField(max_length=40)
    input_file_id = models.CharField(max_length=32)  # no key: the file may be deleted, the batch stays
    output_file_id = models.CharField(max_length=32, blank=True)
    error_file_id = models.CharField(max_length=32, blank=True)
    metadata = models.JSONField(default=dict)
    sealed_errors = models.BinaryField(default=b"")  # what was wrong with its file; quotes of it
    state = models.CharField(max_length=12, default=VALIDATING, choices=[(state, state) for state in STATES])
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    total: int  # with `counted`: lines, those that are done, those that failed
    done: int
    failed: int
    stopped_at = models.DateTimeField(null=True, blank=True)  # open lines were ended: cancelled, or out of time
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = BatchQuerySet.as_manager()

    class Meta:
        db_table = "batch"
        ordering = ["-created_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["owner", "submit_key"], name="one_batch_per_submission")]
        indexes = [
            models.Index(fields=["owner", "-created_at", "-id"], name="batch_history"),
            models.Index(fields=["state"], name="batch_open", condition=Q(state__in=tuple(sorted(OPEN)))),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_open(self) -> bool:
        """Whether it has not ended."""
        return self.state in OPEN

    @property
    def problems(self) -> list[dict[str, Any]]:
        """What was wrong with its file, unsealed; for its owner only."""
        found: list[dict[str, Any]] = json.loads(unseal(self.sealed_errors)) if self.sealed_errors else []
        return found

    def is_closing(self, at: datetime) -> bool:
        """Whether nothing of it is begun any more."""
        return self.state != IN_PROGRESS or at >= self.expires_at


class BatchFile(models.Model):
    """A file that its owner sent, or the results of a batch, which are put together from its lines when read."""

    id = models.CharField(max_length=32, primary_key=True, default=new_file_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="batch_files")
    purpose = models.CharField(max_length=12, choices=[(INPUT, INPUT), (OUTPUT, OUTPUT)])
    name = models.CharField(max_length=200)
    size = models.PositiveIntegerField()  # bytes
    sealed_content = models.BinaryField(default=b"")  # of an input
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, null=True, blank=True, related_name="files")
    holds = models.CharField(max_length=8, blank=True, choices=[(state, state) for state in (DONE, REFUSED)])
    created_at = models.DateTimeField()

    class Meta:
        db_table = "batch_file"
        ordering = ["-created_at", "-id"]
        indexes = [models.Index(fields=["owner", "-created_at", "-id"], name="batch_file_history")]

    def __str__(self) -> str:
        return self.id

    @property
    def text(self) -> str:
        """All of it as text, for the export of one's own data."""
        return self.content.decode("utf-8", "replace")

    @property
    def content(self) -> bytes:
        """All of it, unsealed; for its owner only."""
        return b"".join(self.pieces())

    def pieces(self, after: int = 0) -> Iterator[bytes]:
        """Yield it part by part, unsealed; results come line by line."""
        if self.batch_id is None:
            yield unseal_bytes(bytes(self.sealed_content))
            return
        while lines := self.lines_after(after):
            for line in lines:
                yield line.answer.encode() + b"\n"
            after = lines[-1].number

    def lines_after(self, number: int) -> list[BatchLine]:
        """Return the next lines of results, in the order of the file that was sent."""
        found = BatchLine.objects.filter(batch_id=self.batch_id, state=self.holds, number__gt=number)
        return list(found.order_by("number")[:READ_AT_ONCE])

    @staticmethod
    def sealed(content: bytes) -> bytes:
        """Return a content as the sealed column holds it."""
        return seal_bytes(content)


class LineQuerySet(models.QuerySet["BatchLine"]):
    """Words for lines."""

    def open(self) -> Self:
        """Lines that have not ended."""
        return self.filter(state__in=OPEN_LINES)

    def waiting(self) -> Self:
        """Lines that are not begun, in their order."""
        return self.filter(state=WAITING).order_by("number")

    def running(self) -> Self:
        """Lines whose job has not ended."""
        return self.filter(state=RUNNING)


class BatchLine(models.Model):
    """One request of a batch: submitted once, answered once."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="lines")
    number = models.PositiveIntegerField()  # of the line in the file
    state = models.CharField(max_length=8, default=WAITING, choices=[(state, state) for state in LINE_STATES])
    job = models.OneToOneField(Job, on_delete=models.PROTECT, null=True, blank=True, related_name="batch_line")
    faults = models.PositiveSmallIntegerField(default=0)  # jobs of it that ended by no fault of the line
    sealed_request = models.BinaryField()  # {"custom_id", "body"}; gone when it ends
    sealed_answer = models.BinaryField(default=b"")  # the line of the results
    answer_size = models.PositiveIntegerField(default=0)

    objects = LineQuerySet.as_manager()

    class Meta:
        db_table = "batch_line"
        ordering = ["batch", "number"]
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="one_row_per_line")]
        indexes = [models.Index(fields=["batch", "state", "number"], name="batch_line_state")]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        """Its id in the results."""
        return f"batch_req_{self.batch_id.removeprefix('batch_')}_{self.number}"

    @property
    def request(self) -> dict[str, Any]:
        """What was asked, unsealed; for its owner only. Empty once it has ended."""
        asked: dict[str, Any] = json.loads(unseal(self.sealed_request)) if self.sealed_request else {}
        return asked

    @property
    def answer(self) -> str:
        """Its line of the results, unsealed; for its owner only. Empty until it ends."""
        return unseal(self.sealed_answer) if self.sealed_answer else ""

    @staticmethod
    def sealed(data: dict[str, Any]) -> bytes:
        """Return a request as the sealed column holds it."""
        return seal(json.dumps(data, ensure_ascii=False))
