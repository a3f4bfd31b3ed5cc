"""Obligation."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from release_portal.access.models.grants import Grant
from release_portal.access.obligations.rules import OBLIGATION, OPEN, OWED, PAUSE_AFTER, DutyFacts


class ObligationQuerySet(models.QuerySet["Obligation"]):
    """Words for obligations."""

    def owed(self, at: datetime) -> Self:
        """Those of which the holder acts next: not handed in, not waived for now."""
        return self.filter(Q(waived_until=None) | Q(waived_until__lte=at), state__in=sorted(OWED))

    def resting(self, at: datetime) -> Self:
        """Those that rest their grant: overdue for long."""
        return self.owed(at).filter(due_at__lte=at - PAUSE_AFTER)


class Obligation(models.Model):
    """A duty that comes with a grant, with its due day and what was handed in."""

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="obligations")
    code = models.CharField(max_length=3)
    what = models.TextField()
    due_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, default=OPEN, choices=[(state, state) for state in OBLIGATION.states])
    text = models.TextField(blank=True)
    link = models.CharField(max_length=500, blank=True)
    handed_in_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True)  # what was missing when it was given back
    looked_at = models.DateTimeField(null=True)
    looked_by = models.CharField(max_length=150, blank=True)
    waived_at = models.DateTimeField(null=True)
    waived_until = models.DateTimeField(null=True)
    waived_by = models.CharField(max_length=150, blank=True)
    waiver_reason = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    objects = ObligationQuerySet.as_manager()

    class Meta:
        db_table = "obligation"
        ordering = [models.F("due_at").asc(nulls_last=True), "pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(waived_at=None) | (Q(waived_until__gt=models.F("waived_at")) & ~Q(waiver_reason="")),
                name="waiver_has_reason_and_end",
            )
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="obligations_due")]

    def __str__(self) -> str:
        return f"{self.code} of {self.grant_id}"

    def facts(self) -> DutyFacts:
        """Return what the rules need to know."""
        return DutyFacts(self.state, self.due_at, self.waived_until)
