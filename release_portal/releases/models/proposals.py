"""Proposal and Lock: a move being prepared, and the digest of all that is voted on."""

from __future__ import annotations

from typing import Self

from django.db import models

from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import Stage, stage_of
from release_portal.releases.models.policies import PolicyVersion
from release_portal.releases.models.standing import STAGES
from release_portal.releases.proposal_rules import OPEN, STATES


class ProposalQuerySet(models.QuerySet["Proposal"]):
    """Words for proposals."""

    def open(self) -> Self:
        """Proposals that may still lead to a move."""
        return self.filter(state__in=OPEN)


class Proposal(models.Model):
    """One move to a wider stage, from its first draft to the end of its observation."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="proposals")
    source = models.CharField(max_length=20, choices=STAGES)
    target = models.CharField(max_length=20, choices=STAGES)
    policy = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="proposals")
    state = models.CharField(max_length=20, choices=[(state, state) for state in STATES])
    rationale = models.TextField()
    conditions = models.TextField(blank=True)
    is_fast_path = models.BooleanField(default=False)
    opened_by_id = models.CharField(max_length=60)
    opened_by = models.CharField(max_length=150)
    opened_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)
    cool_off_until = models.DateTimeField(null=True, blank=True)
    execute_after = models.DateTimeField(null=True, blank=True)
    executed_at = models.DateTimeField(null=True, blank=True)
    executed_by = models.CharField(max_length=150, blank=True)
    soak_until = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    closing_reason = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = ProposalQuerySet.as_manager()

    class Meta:
        db_table = "proposal"
        ordering = ["-opened_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["size"], condition=models.Q(state__in=OPEN), name="one_open_proposal_per_size"
            ),
        ]

    def __str__(self) -> str:
        return f"proposal {self.pk}: {self.source} to {self.target}"

    @property
    def from_stage(self) -> Stage:
        """The stage that is left."""
        return stage_of(self.source)

    @property
    def to_stage(self) -> Stage:
        """The stage that is reached."""
        return stage_of(self.target)

    @property
    def current_lock(self) -> Lock | None:
        """The newest lock, while it is in force."""
        return next((lock for lock in self.locks.all() if lock.voided_at is None), None)


class Lock(models.Model):
    """The digest over policy, assessments, card, checklist and manifest on which people vote."""

    proposal = models.ForeignKey(Proposal, on_delete=models.CASCADE, related_name="locks")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64)
    material = models.JSONField()  # what the digest is over, by part
    results = models.JSONField()  # the assessment in words, as it was voted on
    preview = models.JSONField(default=dict)  # who gains and loses what
    locked_by_id = models.CharField(max_length=60)
    locked_by = models.CharField(max_length=150)
    locked_at = models.DateTimeField()
    voided_at = models.DateTimeField(null=True, blank=True)
    void_reason = models.TextField(blank=True)

    class Meta:
        db_table = "proposal_lock"
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["proposal", "number"], name="lock_number_once"),
            models.UniqueConstraint(
                fields=["proposal"], condition=models.Q(voided_at=None), name="one_lock_in_force_per_proposal"
            ),
        ]

    def __str__(self) -> str:
        return f"lock {self.number} of proposal {self.proposal_id}"
