"""Freeze: a time in which nothing is widened."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from release_portal.registry.models import ModelFamily


class FreezeQuerySet(models.QuerySet["Freeze"]):
    """Words for freezes."""

    def in_force(self, at: datetime) -> Self:
        """Freezes that block widening at that time."""
        return self.filter(starts_at__lte=at, ends_at__gt=at).filter(
            models.Q(lifted_at=None) | models.Q(lifted_at__gt=at)
        )

    def coming(self, at: datetime) -> Self:
        """Freezes that have not begun."""
        return self.filter(starts_at__gt=at, lifted_at=None)


class Freeze(models.Model):
    """Blocks widening of a family, or of all, between two times; narrowing goes on."""

    family = models.ForeignKey(ModelFamily, on_delete=models.PROTECT, null=True, blank=True, related_name="freezes")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.TextField()
    raised_by_id = models.CharField(max_length=60)
    raised_by = models.CharField(max_length=150)
    raised_at = models.DateTimeField()
    lifted_by = models.CharField(max_length=150, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    lift_reason = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = FreezeQuerySet.as_manager()

    class Meta:
        db_table = "freeze"
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(ends_at__gt=models.F("starts_at")), name="freeze_ends_after_start"
            )
        ]

    def __str__(self) -> str:
        return f"freeze from {self.starts_at:%Y-%m-%d}"
