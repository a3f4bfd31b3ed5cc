"""Narrowing: one roll-back (R4), by one person until a second confirms it."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import CONFIRM_STOP_WITHIN
from release_portal.releases.models.standing import STAGES
from release_portal.releases.narrowing_rules import CONFIRMED, LAPSED, RAISED, NarrowingFacts


class NarrowingQuerySet(models.QuerySet["Narrowing"]):
    """Words for roll-backs."""

    def unconfirmed(self) -> Self:
        """Roll-backs in force that wait for a second person."""
        return self.filter(state=RAISED)


class Narrowing(models.Model):
    """A roll-back of a size to a narrower stage; it lapses unless a second person confirms it."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="narrowings")
    source = models.CharField(max_length=20, choices=STAGES)
    target = models.CharField(max_length=20, choices=STAGES)
    state = models.CharField(max_length=10, default=RAISED, choices=[(s, s) for s in (RAISED, CONFIRMED, LAPSED)])
    reason = models.TextField()
    raised_by_id = models.CharField(max_length=60)
    raised_by = models.CharField(max_length=150)
    raised_at = models.DateTimeField()
    confirmed_by_id = models.CharField(max_length=60, blank=True)
    confirmed_by = models.CharField(max_length=150, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)  # when it was confirmed or lapsed
    version = models.PositiveIntegerField(default=1)

    objects = NarrowingQuerySet.as_manager()

    class Meta:
        db_table = "narrowing"
        ordering = ["-raised_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confirmed_by_id="") | ~models.Q(confirmed_by_id=models.F("raised_by_id")),
                name="narrowing_confirmed_by_another",
            )
        ]

    def __str__(self) -> str:
        return f"{self.size_id}: {self.source} to {self.target}"

    @property
    def lapses_at(self) -> datetime | None:
        """When it ends by itself, while nobody has confirmed it."""
        return self.raised_at + CONFIRM_STOP_WITHIN if self.state == RAISED else None

    def facts(self) -> NarrowingFacts:
        """Return what the rules need to know."""
        return NarrowingFacts(self.state, self.target, self.raised_by_id, self.raised_at)
