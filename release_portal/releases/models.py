"""Standing and Hold: where a size stands now."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import CONFIRM_STOP_WITHIN, CONFIRMED, RAISED, RELEASED, HoldFacts
from release_portal.releases.ladder import LADDER, Stage, stage_of


class Standing(models.Model):
    """The stage of a size; the audit log holds how it got there."""

    size = models.OneToOneField(ModelSize, on_delete=models.PROTECT, related_name="standing")
    stage = models.CharField(max_length=20, choices=[(stage.slug, stage.label) for stage in LADDER])
    since = models.DateTimeField()
    version = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "standing"

    def __str__(self) -> str:
        return f"{self.size_id}: {self.stage}"

    @property
    def place(self) -> Stage:
        """The stage with its words."""
        return stage_of(self.stage)


class HoldQuerySet(models.QuerySet["Hold"]):
    """Words for holds."""

    def open(self) -> Self:
        """Holds that still block widening."""
        return self.filter(released_at=None)

    def unconfirmed_stops(self) -> Self:
        """Stops of use in force that no second officer has confirmed."""
        return self.open().filter(stops_use=True, confirmed_at=None)

    def of_case(self, case: str) -> Self:
        """Holds that one case raised."""
        return self.filter(case=case)


class Hold(models.Model):
    """Blocks widening of a size; use goes on. With `stops_use` it is restriction R5: use stops as well."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="holds")
    stops_use = models.BooleanField(default=False)
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
        """When a stop of use ends by itself, while no second officer has confirmed it."""
        return self.raised_at + CONFIRM_STOP_WITHIN if self.stops_use and self.state == RAISED else None

    def facts(self) -> HoldFacts:
        """Return what the rules need to know."""
        return HoldFacts(self.state, self.stops_use, self.raised_by_id, self.raised_at, self.case)
