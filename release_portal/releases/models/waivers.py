"""Waiver and WaiverVote: a reasoned, public, expiring exception for one criterion."""

from __future__ import annotations

from django.db import models

from release_portal.releases.models.proposals import Proposal


class Waiver(models.Model):
    """An exception for one criterion of one proposal; it counts once enough people have agreed, until it ends."""

    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE, related_name="waivers")
    criterion = models.CharField(max_length=12)
    reason = models.TextField()
    asked_by_id = models.CharField(max_length=60)
    asked_by = models.CharField(max_length=150)
    asked_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    granted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "waiver"
        ordering = ["criterion", "id"]

    def __str__(self) -> str:
        return f"waiver of {self.criterion} for proposal {self.proposal_id}"


class WaiverVote(models.Model):
    """One person's agreement to a waiver."""

    waiver = models.ForeignKey(Waiver, on_delete=models.CASCADE, related_name="votes")
    person_id = models.CharField(max_length=60)
    person = models.CharField(max_length=150)
    role = models.CharField(max_length=30)
    reason = models.TextField()
    at = models.DateTimeField()
    asked_by_id = models.CharField(max_length=60)

    class Meta:
        db_table = "waiver_vote"
        ordering = ["at", "id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(person_id=models.F("asked_by_id")), name="waiver_not_by_asker"),
            models.UniqueConstraint(fields=["waiver", "person_id"], name="one_waiver_vote_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.person} for {self.waiver_id}"
