"""Hold: blocks widening of a size, or restricts its use."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import (
    CONFIRM_STOP_WITHIN,
    CONFIRMED,
    LEVELS,
    PLAIN,
    RAISED,
    RELEASED,
    HoldFacts,
    Restriction,
)


class HoldQuerySet(models.QuerySet["Hold"]):
    """Words for holds."""

    def open(self) -> Self:
        """Holds that still block widening."""
        return self.filter(released_at=None)

    def restrictions(self) -> Self:
        """Holds in force that take use away."""
        return self.open().exclude(level=PLAIN)

    def unconfirmed(self) -> Self:
        """Restrictions in force that no second officer has confirmed."""
        return self.restrictions().filter(confirmed_at=None)

    def of_case(self, case: str) -> Self:
        """Holds that one case raised."""
        return self.filter(case=case)


class Hold(models.Model):
    """Blocks widening of a size; use goes on, except for what the levels R1, R2, R3 and R5 take away."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="holds")
    level = models.CharField(max_length=4, default=PLAIN, choices=[(level, level) for level in LEVELS])
    stops_use = models.BooleanField(default=False)  # restriction R5
    percent = models.PositiveSmallIntegerField(null=True, blank=True)  # R1: what is left of every quota
    max_tokens = models.PositiveIntegerField(null=True, blank=True)  # R2: longest output
    functions = models.JSONField(default=list, blank=True)  # R2: functions that are off
    cohort = models.CharField(max_length=10, blank=True)  # R3: partner, research or public
    reason = models.TextField()
    raised_by_id = models.CharField(max_length=60, blank=True)
    raised_by = models.CharField(max_length=150)
    raised_at = models.DateTimeField()
    confirmed_by_id = models.CharField(max_length=60, blank=True)
    confirmed_by = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    released_by = models.CharField(max_length=150, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    release_reason = models.TextField(blank=True)
    case = models.CharField(max_length=60, blank=True)  # subject of the case that raised it, e.g. "report:7"
    version = models.PositiveIntegerField(default=1)

    objects = HoldQuerySet.as_manager()

    class Meta:
        db_table = "hold"
        ordering = ["-raised_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(confirmed_by_id="") | ~models.Q(confirmed_by_id=models.F("raised_by_id")),
                name="hold_confirmed_by_another",
            ),
            models.CheckConstraint(
                condition=models.Q(level="R5", stops_use=True) | (~models.Q(level="R5") & models.Q(stops_use=False)),
                name="hold_r5_stops_use",
            ),
            models.UniqueConstraint(
                fields=["size"],
                condition=models.Q(released_at=None, stops_use=True),
                name="one_open_stop_of_use_per_size",
            ),
        ]

    def __str__(self) -> str:
        return f"hold on {self.size_id}"

    @property
    def state(self) -> str:
        """Where the hold stands: raised, confirmed or released."""
        if self.released_at is not None:
            return RELEASED
        return RAISED if self.confirmed_at is None else CONFIRMED

    @property
    def lapses_at(self) -> datetime | None:
        """When a restriction ends by itself, while no second officer has confirmed it."""
        return self.raised_at + CONFIRM_STOP_WITHIN if self.level != PLAIN and self.state == RAISED else None

    @property
    def restriction(self) -> Restriction:
        """What it takes away, as a value."""
        functions = frozenset(self.functions)
        return Restriction(self.level, self.percent, self.max_tokens, functions, self.cohort, self.reason)

    def facts(self) -> HoldFacts:
        """Return what the rules need to know."""
        terms = self.restriction.terms
        return HoldFacts(self.state, self.level, self.raised_by_id, self.raised_at, self.case, terms)
