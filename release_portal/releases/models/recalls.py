"""Recall and RecallNotice: R6, asking everybody who has the weights to delete them."""

from __future__ import annotations

from django.db import models

from release_portal.registry.models import ModelSize


class Recall(models.Model):
    """One recall of a size's weights."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="recalls")
    reason = models.TextField()
    opened_by_id = models.CharField(max_length=60)
    opened_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.CharField(max_length=150, blank=True)
    closing_note = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "recall"
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["size"], condition=models.Q(closed_at=None), name="one_open_recall_per_size"
            )
        ]

    def __str__(self) -> str:
        return f"recall of {self.size_id}"


class RecallNotice(models.Model):
    """One recipient of the weights: told, acknowledged, deletion stated."""

    recall = models.ForeignKey(Recall, on_delete=models.CASCADE, related_name="notices")
    recipient = models.CharField(max_length=200)
    contact = models.CharField(max_length=254, blank=True)
    account_id = models.CharField(max_length=60, blank=True)
    grant_id = models.CharField(max_length=60, blank=True)
    sent_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    statement = models.TextField(blank=True)

    class Meta:
        db_table = "recall_notice"
        ordering = ["recipient", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["recall", "account_id"],
                condition=~models.Q(account_id=""),
                name="one_recall_notice_per_account",
            )
        ]

    def __str__(self) -> str:
        return f"recall notice to {self.recipient}"
