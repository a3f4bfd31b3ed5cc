"""CommentWindow, Comment, ExternalReview, PartnerReport: what people outside say before a move."""

from __future__ import annotations

from datetime import datetime

from django.db import models

from release_portal.registry.models import ModelSize
from release_portal.releases.models.proposals import Proposal

COMMENT, NOTICE = "comment", "notice"
SUPPORTS, CONCERNS, ADVERSE = "supports", "concerns", "adverse"


class CommentWindow(models.Model):
    """A time in which the public may comment on a proposal, or other labs have been told of it."""

    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE, related_name="windows")
    kind = models.CharField(max_length=10, choices=[(COMMENT, COMMENT), (NOTICE, NOTICE)])
    text = models.TextField()  # what is asked, or what the notice says and to whom it went
    opened_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    closes_at = models.DateTimeField()

    class Meta:
        db_table = "comment_window"
        ordering = ["-opened_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["proposal", "kind"], name="one_window_of_a_kind")]

    def __str__(self) -> str:
        return f"{self.kind} on proposal {self.proposal_id}"

    def is_open(self, at: datetime) -> bool:
        """Whether comments are taken at that time."""
        return self.opened_at <= at < self.closes_at


class Comment(models.Model):
    """What somebody says in a comment window; an objection must be answered before the gate can open."""

    window = models.ForeignKey(CommentWindow, on_delete=models.CASCADE, related_name="comments")
    author_id = models.CharField(max_length=60, blank=True)
    author = models.CharField(max_length=150)
    is_objection = models.BooleanField(default=False)
    text = models.TextField()
    at = models.DateTimeField()
    answer = models.TextField(blank=True)
    answered_by = models.CharField(max_length=150, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    hidden_at = models.DateTimeField(null=True, blank=True)
    hidden_by = models.CharField(max_length=150, blank=True)
    hidden_reason = models.TextField(blank=True)

    class Meta:
        db_table = "comment"
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"comment by {self.author}"


class ExternalReview(models.Model):
    """One external reviewer's work on a proposal: terms first, then the report, only then the votes."""

    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE, related_name="external_reviews")
    reviewer_id = models.CharField(max_length=60)
    reviewer = models.CharField(max_length=150)
    terms = models.TextField()
    fee = models.CharField(max_length=200)
    edit_rights = models.CharField(max_length=300)
    invited_by = models.CharField(max_length=150)
    invited_at = models.DateTimeField()
    due_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    report = models.TextField(blank=True)
    report_digest = models.CharField(max_length=64, blank=True)
    finding = models.CharField(max_length=10, blank=True, choices=[(f, f) for f in (SUPPORTS, CONCERNS, ADVERSE)])
    deposited_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "external_review"
        ordering = ["invited_at", "id"]
        constraints = [models.UniqueConstraint(fields=["proposal", "reviewer_id"], name="one_review_per_reviewer")]

    def __str__(self) -> str:
        return f"review by {self.reviewer}"


class PartnerReport(models.Model):
    """A partner's signed report on misuse of a size."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="partner_reports")
    partner_id = models.CharField(max_length=60)
    partner = models.CharField(max_length=150)
    grant_id = models.CharField(max_length=60)
    report = models.TextField()
    report_digest = models.CharField(max_length=64)
    is_adverse = models.BooleanField(default=False)
    deposited_at = models.DateTimeField()
    answer = models.TextField(blank=True)
    answered_by = models.CharField(max_length=150, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "partner_report"
        ordering = ["-deposited_at", "-id"]

    def __str__(self) -> str:
        return f"report by {self.partner} on {self.size_id}"
