"""Engagement."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import F, Q

from release_portal.access.engagement_rules import EngagementFacts
from release_portal.access.models.grants import Grant


class EngagementQuerySet(models.QuerySet["Engagement"]):
    """Words for rules of engagement."""

    def in_force(self, at: datetime) -> Self:
        """Those that two people agreed on and that have not ended."""
        confirmed = self.agreed().filter(starts_at__lte=at, ends_at__gt=at)
        return confirmed.filter(Q(ended_at=None) | Q(ended_at__gt=at))

    def agreed(self) -> Self:
        """Those on which two people agreed, also when they have ended."""
        return self.exclude(confirmed_at=None)

    def standing(self, at: datetime) -> Self:
        """Those that are not over, agreed on or waiting for the second person."""
        return self.filter(Q(ended_at=None) | Q(ended_at__gt=at), ends_at__gt=at)


class Engagement(models.Model):
    """Safe harbour: what the holder of one grant may try, so that a study of harm is not taken for harm."""

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="engagements")
    targets = models.JSONField()
    categories = models.JSONField()
    tokens_per_day = models.PositiveIntegerField()
    keep_inside = models.TextField()  # where the text may not go
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    written_by_id = models.CharField(max_length=60)
    written_by = models.CharField(max_length=150)
    written_at = models.DateTimeField()
    confirmed_by_id = models.CharField(max_length=60, blank=True)
    confirmed_by = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)
    end_reason = models.TextField(blank=True)

    objects = EngagementQuerySet.as_manager()

    class Meta:
        db_table = "engagement"
        ordering = ["-written_at", "-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="engagement_ends_after_start"),
            models.CheckConstraint(
                condition=Q(confirmed_by_id="") | ~Q(confirmed_by_id=F("written_by_id")),
                name="engagement_confirmed_by_another",
            ),
            models.UniqueConstraint(
                fields=["grant"], condition=Q(confirmed_at=None, ended_at=None), name="one_engagement_waits_per_grant"
            ),
        ]

    def __str__(self) -> str:
        return f"rules of engagement of {self.grant_id}"

    def held_at(self, at: datetime) -> bool:
        """Whether two people had agreed by then and it was not over; what came later changes nothing of that."""
        is_over = at >= self.ends_at or (self.ended_at is not None and at >= self.ended_at)
        return self.confirmed_at is not None and self.starts_at <= at and not is_over

    def facts(self) -> EngagementFacts:
        """Return what the rule needs to know."""
        return EngagementFacts(
            frozenset(self.targets), frozenset(self.categories), self.tokens_per_day, self.starts_at, self.ends_at
        )
