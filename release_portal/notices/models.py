"""Notice and MailOut."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from release_portal.notices.kinds import kind_choices
from release_portal.notices.retry_rules import STATES, WAITING


class NoticeQuerySet(models.QuerySet["Notice"]):
    """Words for notices."""

    def unread(self) -> Self:
        """Notices that their recipient has not marked as read."""
        return self.filter(read_at=None)


class Notice(models.Model):
    """Something that a person is told, on their page and by mail."""

    recipient = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=40, choices=kind_choices)
    subject = models.CharField(max_length=200)
    body = models.TextField()
    path = models.CharField(max_length=200, blank=True)  # page of the portal that the notice is about
    dedupe_key = models.CharField(max_length=120, blank=True)
    created_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        db_table = "notice"
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["recipient", "dedupe_key"], condition=~Q(dedupe_key=""), name="one_notice_per_dedupe_key"
            )
        ]
        indexes = [models.Index(fields=["recipient", "read_at"], name="notice_unread")]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient_id}"


class MailOutQuerySet(models.QuerySet["MailOut"]):
    """Words for mail."""

    def due(self, at: datetime) -> Self:
        """Mail that waits and may be tried now, the oldest first."""
        return self.filter(state=WAITING, next_attempt_at__lte=at).order_by("next_attempt_at", "pk")


class MailOut(models.Model):
    """A mail on its way out: written with what it tells of, sent afterwards, given up only in sight of an operator."""

    to = models.EmailField()
    is_outside = models.BooleanField(default=False)  # to an address alone: there is no notice beside it
    recipient_name = models.CharField(max_length=100, blank=True)  # of whoever is written to by address alone
    subject = models.CharField(max_length=200)
    body = models.TextField()
    sealed_tail = models.BinaryField(null=True)  # what nobody but the reader may see; gone once it is sent
    state = models.CharField(max_length=8, default=WAITING, choices=[(state, state) for state in STATES])
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField()
    last_error = models.CharField(max_length=300, blank=True)
    dedupe_key = models.CharField(max_length=120, unique=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True)

    objects = MailOutQuerySet.as_manager()

    class Meta:
        db_table = "mail_out"
        ordering = ["-created_at", "-pk"]
        indexes = [models.Index(fields=["state", "next_attempt_at"], name="mail_due")]

    def __str__(self) -> str:
        return f"mail {self.pk}: {self.state}"
