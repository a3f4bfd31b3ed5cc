"""MisuseReport, what the record says of it, its messages and actions, and the count of filings."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from release_portal.access.models import Grant
from release_portal.core.keys import seal, unseal
from release_portal.jobs.models import Job
from release_portal.misuse.report_rules import OPEN_STATES, RECEIVED, REPORT, ActionKind
from release_portal.misuse.severities import SEVERITIES
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Hold


class MisuseReportQuerySet(models.QuerySet["MisuseReport"]):
    """Words for reports."""

    def open(self) -> Self:
        """Reports that still wait for somebody."""
        return self.filter(state__in=OPEN_STATES)

    def most_urgent_first(self) -> Self:
        """The order in which people look at reports: severity, then clock; without a clock last."""
        return self.order_by("-urgency", models.F("due_at").asc(nulls_last=True), "pk")

    def overdue(self, at: datetime) -> Self:
        """Reports whose clock has run out at that time."""
        return self.filter(due_at__lt=at)


class MisuseReport(models.Model):
    """What somebody told us; everything that they wrote is sealed, and who they are is not stored in clear."""

    code_digest = models.CharField(max_length=64, unique=True)
    filer_mark = models.CharField(max_length=90, blank=True)  # keyed; tells only whether a given account filed it
    sealed_what = models.BinaryField()
    sealed_evidence = models.BinaryField()
    sealed_link = models.BinaryField(null=True, blank=True)
    sealed_contact = models.BinaryField(null=True, blank=True)
    category_guess = models.CharField(max_length=12, blank=True)  # the reporter's word; empty: not sure
    size_guess = models.ForeignKey(ModelSize, on_delete=models.PROTECT, null=True, blank=True, related_name="+")

    state = models.CharField(max_length=12, default=RECEIVED, choices=[(state, state) for state in REPORT.states])
    version = models.PositiveIntegerField(default=1)
    category = models.CharField(max_length=12, blank=True)
    severity = models.PositiveSmallIntegerField(null=True, blank=True)  # staff's word; NULL until triage
    urgency = models.PositiveSmallIntegerField()  # the severity, provisional until triage; the queue's order
    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, null=True, blank=True, related_name="reports")
    duplicate_of = models.ForeignKey("self", on_delete=models.PROTECT, null=True, blank=True, related_name="duplicates")
    decline_code = models.CharField(max_length=20, blank=True)
    outcome_code = models.CharField(max_length=30, blank=True)
    sealed_note = models.BinaryField(null=True, blank=True)  # for staff
    sealed_outcome = models.BinaryField(null=True, blank=True)  # for the reporter

    received_at = models.DateTimeField()
    triaged_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)  # the clock that runs now; NULL while it pauses or has ended

    objects = MisuseReportQuerySet.as_manager()

    class Meta:
        db_table = "misuse_report"
        ordering = ["-received_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(duplicate_of=None) | ~models.Q(duplicate_of=models.F("id")),
                name="report_no_duplicate_of_itself",
            ),
            models.CheckConstraint(
                condition=models.Q(severity=None) | models.Q(severity__lt=len(SEVERITIES)), name="report_severity_known"
            ),
        ]
        indexes = [models.Index(fields=["state", "-urgency", "due_at"], name="report_queue")]

    def __str__(self) -> str:
        return f"report {self.pk}"

    @property
    def what(self) -> str:
        """What happened, unsealed; for triage only."""
        return unseal(self.sealed_what)

    @property
    def evidence(self) -> str:
        """The text, or where it is, unsealed; for triage only."""
        return unseal(self.sealed_evidence)

    @property
    def link(self) -> str:
        """Where it was seen, unsealed; for triage only."""
        return _open(self.sealed_link)

    @property
    def contact(self) -> str:
        """The address under which the reporter may be asked, unsealed; for triage only."""
        return _open(self.sealed_contact)

    @property
    def note(self) -> str:
        """What staff noted at triage."""
        return _open(self.sealed_note)

    @property
    def outcome(self) -> str:
        """What the reporter is told at the end."""
        return _open(self.sealed_outcome)


class RecordMatch(models.Model):
    """A generation of ours whose words stand in what was reported."""

    report = models.ForeignKey(MisuseReport, on_delete=models.CASCADE, related_name="matches")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="report_matches")
    percent = models.PositiveSmallIntegerField()  # of the reported words
    found_at = models.DateTimeField()

    class Meta:
        db_table = "record_match"
        ordering = ["-percent", "pk"]
        constraints = [models.UniqueConstraint(fields=["report", "job"], name="one_match_per_report_and_job")]

    def __str__(self) -> str:
        return f"{self.job_id} in report {self.report_id}"


class ReportMessage(models.Model):
    """One message between staff and the reporter; the reporter is not told which officer wrote."""

    report = models.ForeignKey(MisuseReport, on_delete=models.CASCADE, related_name="messages")
    is_from_staff = models.BooleanField()
    by_id = models.CharField(max_length=60, blank=True)
    by_name = models.CharField(max_length=150, blank=True)
    sealed_text = models.BinaryField()
    at = models.DateTimeField()

    class Meta:
        db_table = "report_message"
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"message on report {self.report_id}"

    @property
    def text(self) -> str:
        """The message, unsealed; for the reporter and for triage."""
        return unseal(self.sealed_text)


class ReportAction(models.Model):
    """What was done because of a report, why, and on what ground; never on a detector's score alone."""

    report = models.ForeignKey(MisuseReport, on_delete=models.PROTECT, related_name="actions")
    kind = models.CharField(max_length=15, choices=[(kind.value, kind.value) for kind in ActionKind])
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, null=True, blank=True, related_name="report_actions")
    hold = models.ForeignKey(Hold, on_delete=models.PROTECT, null=True, blank=True, related_name="report_actions")
    job = models.ForeignKey(Job, on_delete=models.PROTECT, null=True, blank=True, related_name="report_actions")
    finding = models.TextField(blank=True)
    reason = models.TextField()
    by_id = models.CharField(max_length=60)
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        db_table = "report_action"
        ordering = ["at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(job__isnull=False) | ~models.Q(finding=""), name="report_action_has_ground"
            ),
            models.CheckConstraint(
                condition=models.Q(grant__isnull=False, hold=None) | models.Q(grant=None, hold__isnull=False),
                name="report_action_has_one_target",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on report {self.report_id}"


class FilingCount(models.Model):
    """How many reports one network address filed on one day; the mark cannot be turned back into the address."""

    mark = models.CharField(max_length=64)
    day = models.DateField()
    count = models.PositiveIntegerField(default=0)

    class Meta:
        db_table = "filing_count"
        constraints = [models.UniqueConstraint(fields=["mark", "day"], name="one_filing_count_per_day")]

    def __str__(self) -> str:
        return f"{self.count} on {self.day}"


def sealed(text: str) -> bytes | None:
    """Return text as the sealed columns hold it; nothing for no text."""
    return seal(text) if text else None


def _open(content: bytes | memoryview | None) -> str:
    return unseal(content) if content else ""
