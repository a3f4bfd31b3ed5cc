"""Standing and StageEntry: where a size stands now, and when it reached each stage."""

from __future__ import annotations

from django.db import models

from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import LADDER, Stage, stage_of

STAGES = [(stage.slug, stage.label) for stage in LADDER]
WITHDRAWN, ARCHIVED = "withdrawn", "archived"


class Standing(models.Model):
    """The stage of a size; the audit log holds how it got there.

    `granted` is the widest stage that people decided on. While a roll-back by one person waits for its confirmation,
    `stage` is narrower; it returns to `granted` when the roll-back lapses.
    """

    size = models.OneToOneField(ModelSize, on_delete=models.PROTECT, related_name="standing")
    stage = models.CharField(max_length=20, choices=STAGES)
    granted = models.CharField(max_length=20, choices=STAGES, default="registered")
    since = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True, blank=True)  # the last review of the stage; sunset counts from it
    sunset_at = models.DateTimeField(null=True, blank=True)  # an announced retirement
    ending = models.CharField(max_length=10, blank=True, choices=[(WITHDRAWN, WITHDRAWN), (ARCHIVED, ARCHIVED)])
    tombstone = models.JSONField(default=dict, blank=True)  # what, why, copies, replacement
    version = models.PositiveIntegerField(default=1)

    class Meta:
        db_table = "standing"

    def __str__(self) -> str:
        return f"{self.size_id}: {self.stage}"

    @property
    def place(self) -> Stage:
        """The stage with its words."""
        return stage_of(self.stage)


class StageEntry(models.Model):
    """One arrival of a size at a stage; rows are only added, so that a wait can be counted from the arrival."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="stage_entries")
    stage = models.CharField(max_length=20, choices=STAGES)
    ordinal = models.PositiveSmallIntegerField()
    entered_at = models.DateTimeField()

    class Meta:
        db_table = "stage_entry"
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.size_id} reached {self.stage}"
