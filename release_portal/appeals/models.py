"""Appeal, its questions, and the links by which appeals are filed."""

from __future__ import annotations

import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from release_portal.appeals.rules import ENDED, FILED, INADMISSIBLE, KINDS, OUTCOMES, STATES
from release_portal.notices.models import Notice


def new_appeal_id() -> str:
    """Return a short public id that says nothing about how many appeals there are."""
    return f"p-{secrets.token_hex(5)}"


class AppealQuerySet(models.QuerySet["Appeal"]):
    """Words for appeals."""

    def filed_by(self, account_id: str) -> Self:
        """Appeals of one account; an empty id filed none."""
        return self.filter(appellant_id=account_id) if account_id else self.none()

    def open(self) -> Self:
        """Appeals with which something must still be done."""
        return self.exclude(state__in=ENDED)


class Appeal(models.Model):
    """Somebody asks that another person look at a decision about them."""

    id = models.CharField(max_length=20, primary_key=True, default=new_appeal_id)
    kind = models.CharField(max_length=12, choices=[(kind, kind) for kind in KINDS])
    subject = models.CharField(max_length=80)  # the decision, e.g. "grant:g-12:suspension:3"
    title = models.CharField(max_length=200)  # the decision in words
    appellant = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="appeals")
    decided_by_ids = models.JSONField(default=list)  # accounts that took part in the decision
    decided_at = models.DateTimeField()
    text = models.TextField()
    is_by_link = models.BooleanField(default=False)
    state = models.CharField(max_length=12, default=FILED, choices=[(state, state) for state in STATES])
    version = models.PositiveIntegerField(default=1)
    filed_at = models.DateTimeField()
    due_at = models.DateTimeField()
    inadmissible_code = models.CharField(max_length=20, blank=True)
    assigned_id = models.CharField(max_length=60, blank=True)
    assigned_name = models.CharField(max_length=150, blank=True)
    outcome = models.CharField(max_length=12, blank=True, choices=[(one, one) for one in OUTCOMES.values()])
    outcome_reason = models.TextField(blank=True)
    outcome_by_id = models.CharField(max_length=60, blank=True)
    outcome_by_name = models.CharField(max_length=150, blank=True)
    outcome_at = models.DateTimeField(null=True)
    effect = models.TextField(blank=True)  # what carrying it out changed
    before = models.JSONField(default=dict)  # what stood there before it was carried out
    executed_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = AppealQuerySet.as_manager()

    class Meta:
        db_table = "appeal"
        ordering = ["-filed_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject"], condition=~Q(state=INADMISSIBLE), name="one_appeal_per_decision"
            ),
            models.CheckConstraint(
                condition=Q(outcome="") | Q(assigned_id=models.F("outcome_by_id")), name="appeal_decided_by_assignee"
            ),
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="appeal_queue")]

    def __str__(self) -> str:
        return self.id


class AppealQuestion(models.Model):
    """Something that the person who decides asked the appellant."""

    appeal = models.ForeignKey(Appeal, on_delete=models.CASCADE, related_name="questions")
    text = models.TextField()
    asked_by_id = models.CharField(max_length=60)
    asked_by_name = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    answer = models.TextField(blank=True)
    answered_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "appeal_question"
        ordering = ["asked_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["appeal"], condition=Q(answered_at=None), name="one_open_question_per_appeal"
            )
        ]

    def __str__(self) -> str:
        return f"question on {self.appeal_id}"


class AppealLink(models.Model):
    """A link that was mailed with a decision; whoever holds it may appeal once in the recipient's name."""

    subject = models.CharField(max_length=80)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="appeal_links")
    digest = models.CharField(max_length=64, unique=True)
    notice = models.ForeignKey(Notice, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "appeal_link"
        indexes = [models.Index(fields=["subject"], name="appeal_link_subject")]

    def __str__(self) -> str:
        return f"link to appeal {self.subject}"
