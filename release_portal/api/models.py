"""IdempotencyRecord: what was answered to a key."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Self

from django.db import models


def new_record_id() -> str:
    """Return an id under which a job is submitted once."""
    return f"idem-{secrets.token_hex(12)}"


class IdempotencyRecordQuerySet(models.QuerySet["IdempotencyRecord"]):
    """Words for records."""

    def made_before(self, at: datetime) -> Self:
        """Records that are older than a time."""
        return self.filter(created_at__lt=at)


class IdempotencyRecord(models.Model):
    """One request that may be sent again, and the sealed answer to it."""

    id = models.CharField(max_length=40, primary_key=True, default=new_record_id)
    owner = models.CharField(max_length=80)  # "token:<id>", or a keyed mark of a visitor's address
    key = models.CharField(max_length=80)
    target = models.CharField(max_length=300)  # method and path
    body_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)  # NULL: the first request still runs
    sealed_answer = models.BinaryField(null=True, blank=True)
    created_at = models.DateTimeField()
    claimed_at = models.DateTimeField()

    objects = IdempotencyRecordQuerySet.as_manager()

    class Meta:
        db_table = "idempotency_record"
        ordering = ["created_at"]
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="one_answer_per_key")]
        indexes = [models.Index(fields=["created_at"], name="idempotency_age")]

    def __str__(self) -> str:
        return self.id
