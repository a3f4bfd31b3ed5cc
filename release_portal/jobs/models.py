"""Job: one request to the worker, from permit to settlement; Receipt: how work ended when a grant was withdrawn."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Any, Self

from django.conf import settings
from django.db import models

from inference.contract import FinishReason, SamplingSettings
from release_portal.access.models import Grant
from release_portal.core.keys import seal, unseal
from release_portal.jobs.states import MESSAGES, OPEN, QUEUED, STATES
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import Stage, stage_of


def new_job_id() -> str:
    """Return a public id that cannot be guessed."""
    return f"job-{secrets.token_hex(12)}"


class JobQuerySet(models.QuerySet["Job"]):
    """Words for jobs."""

    def open(self) -> Self:
        """Jobs that have not ended."""
        return self.filter(state__in=OPEN)

    def of_holder(self, holder: str) -> Self:
        """Jobs that count against one grant or account, e.g. `grant:g-1`."""
        return self.filter(quota_holder=holder)


class Job(models.Model):
    """One request; it stores under which stage, policy, card and weights it was permitted."""

    id = models.CharField(max_length=32, primary_key=True, default=new_job_id)
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="jobs")
    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="jobs")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, null=True, blank=True, related_name="jobs")
    function = models.CharField(max_length=12)
    interface = models.CharField(max_length=12)  # web, api
    purpose = models.CharField(max_length=3, blank=True)  # code; empty where the grant has none, or none is needed
    end_user = models.CharField(max_length=60, blank=True)  # mark of whom a client named; empty: nobody
    submit_key = models.CharField(max_length=80, null=True, blank=True)  # noqa: DJ001 - NULL: no key, never equal
    state = models.CharField(max_length=12, default=QUEUED, choices=[(state, state) for state in STATES])
    finish_reason = models.CharField(max_length=16, blank=True)
    error = models.CharField(max_length=300, blank=True)

    stage = models.CharField(max_length=20)
    policy_version = models.CharField(max_length=20)
    card_version = models.PositiveIntegerField(default=0)
    weights_digest = models.CharField(max_length=64)

    sampling = models.JSONField(default=dict)
    sealed_prompt = models.BinaryField()
    sealed_output = models.BinaryField(null=True, blank=True)
    prompt_tokens = models.PositiveIntegerField(default=0)
    completion_tokens = models.PositiveIntegerField(default=0)
    charged_tokens = models.PositiveIntegerField(default=0)

    quota_holder = models.CharField(max_length=60)
    quota_day = models.DateField()
    reserved_tokens = models.PositiveIntegerField(default=0)

    created_at = models.DateTimeField()
    permit_ends_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)  # by the clock of the stream; empty: it never started
    last_token_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    sealed_in = models.PositiveBigIntegerField(null=True, blank=True)  # seq of the audit event that holds its root

    objects = JobQuerySet.as_manager()

    class Meta:
        db_table = "job"
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["account", "submit_key"], name="one_job_per_submission")]
        indexes = [
            models.Index(fields=["state", "created_at"], name="job_open"),  # settlement looks for lost jobs
            models.Index(fields=["quota_holder", "created_at"], name="job_quota"),  # the minute, use by purpose
            models.Index(fields=["account", "-created_at"], name="job_history"),
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_open(self) -> bool:
        """Whether the job has not ended."""
        return self.state in OPEN

    @property
    def place(self) -> Stage:
        """The stage on which the size stood when the job was permitted."""
        return stage_of(self.stage)

    @property
    def settings(self) -> SamplingSettings:
        """How the tokens were chosen."""
        return SamplingSettings.from_mapping(self.sampling)

    @property
    def prompt(self) -> str:
        """The prompt, unsealed; for its owner only. Empty once their account is deleted."""
        return unseal(self.sealed_prompt) if self.sealed_prompt else ""

    @property
    def output(self) -> list[dict[str, Any]]:
        """The samples as [{"text", "tokens", "finish"}], unsealed; for its owner only. A score has one entry."""
        if self.sealed_output is None:
            return []
        samples: list[dict[str, Any]] = json.loads(unseal(self.sealed_output))
        return samples

    @property
    def message(self) -> str:
        """How it ended, in a sentence."""
        if not self.finish_reason:
            return "Waiting for the worker, or running."
        return self.error or MESSAGES[FinishReason(self.finish_reason)]

    @staticmethod
    def sealed(text: str) -> bytes:
        """Return text as the sealed columns hold it."""
        return seal(text)


class Receipt(models.Model):
    """What became of the work of a grant that was withdrawn; each figure stays empty when it is not known."""

    KINDS = (("suspended", "suspended"), ("revoked", "revoked"), ("surrendered", "given up"))

    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, related_name="receipts")
    kind = models.CharField(max_length=12, choices=KINDS)
    decided_at = models.DateTimeField()
    epoch = models.PositiveBigIntegerField()  # permits that name an older number are dead
    last_start_at = models.DateTimeField(null=True, blank=True)
    last_token_at = models.DateTimeField(null=True, blank=True)
    last_end_at = models.DateTimeField(null=True, blank=True)
    running_ended = models.PositiveIntegerField(default=0)
    queued_refused = models.PositiveIntegerField(default=0)
    lost = models.PositiveIntegerField(default=0)  # the connection broke: whether they ran is not known
    lines = models.JSONField(default=dict)  # code of a line -> number of what it counts
    completed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "receipt"
        ordering = ["-decided_at", "-pk"]
        indexes = [
            models.Index(fields=["grant"], condition=models.Q(completed_at=None), name="receipt_open"),
        ]

    def __str__(self) -> str:
        return f"receipt of {self.grant_id}, {self.kind}"

    @property
    def to_last_token(self) -> timedelta | None:
        """How long after the decision the last token came; nothing when none came after it."""
        return _after(self.decided_at, self.last_token_at)

    @property
    def to_last_end(self) -> timedelta | None:
        """How long after the decision the end of the last job was written."""
        return _after(self.decided_at, self.last_end_at)


def _after(start: datetime, end: datetime | None) -> timedelta | None:
    return end - start if end is not None and end > start else None
