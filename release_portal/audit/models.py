"""AuditEvent and the head of its chain."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from release_portal.audit.events import event_kind, public_kinds


class AuditEventQuerySet(models.QuerySet["AuditEvent"]):
    """Words for reading the log."""

    def about(self, subject: str) -> Self:
        """Events about one subject, e.g. `size:openai/gpt2-124m`."""
        return self.filter(subject=subject)

    def public(self) -> Self:
        """Events that a public timeline shows."""
        return self.filter(kind__in=public_kinds())

    def until(self, at: datetime) -> Self:
        """Events that had happened at that time."""
        return self.filter(at__lte=at)


class AuditEvent(models.Model):
    """One act, chained to the one before it; written by `audit.services.record` only."""

    seq = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    kind = models.CharField(max_length=60)
    actor_kind = models.CharField(max_length=12)
    actor_id = models.CharField(max_length=60, blank=True)
    actor_name = models.CharField(max_length=150)
    subject = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    data = models.JSONField(default=dict)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    objects = AuditEventQuerySet.as_manager()

    class Meta:
        db_table = "audit_event"
        ordering = ["seq"]
        indexes = [
            models.Index(fields=["subject", "seq"], name="audit_subject_seq"),  # timelines
            models.Index(fields=["kind", "seq"], name="audit_kind_seq"),  # folds of one kind
        ]

    def __str__(self) -> str:
        return f"{self.seq} {self.kind} {self.subject}"

    @property
    def label(self) -> str:
        """What happened, in words."""
        return event_kind(self.kind).label


class AuditHead(models.Model):
    """The last link: one row, locked by every writer, so that the chain has no fork and no cut end."""

    id = models.PositiveSmallIntegerField(primary_key=True)
    seq = models.PositiveBigIntegerField(default=0)
    hash = models.CharField(max_length=64)

    class Meta:
        db_table = "audit_head"

    def __str__(self) -> str:
        return f"head at {self.seq}"
