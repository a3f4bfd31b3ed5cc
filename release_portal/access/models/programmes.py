"""ProgrammeVersion, ProgrammePublication and EligibilityTrace."""

from __future__ import annotations

from django.db import models

from release_portal.registry.models import ModelFamily
from release_portal.releases.ladder import Stage, stage_of


class ProgrammeVersion(models.Model):
    """One programme file, immutable, known by the digest of its bytes; applications are bound to it."""

    digest = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=60)
    version = models.PositiveIntegerField()
    kind = models.CharField(max_length=10)
    title = models.CharField(max_length=200)
    text = models.TextField()
    stored_at = models.DateTimeField()
    stored_by = models.CharField(max_length=150)

    class Meta:
        db_table = "programme_version"
        ordering = ["name", "-version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="programme_version_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class ProgrammePublication(models.Model):
    """From when on a programme applies to one family at one stage; the next publication takes its place."""

    programme = models.ForeignKey(ProgrammeVersion, on_delete=models.PROTECT, related_name="publications")
    family = models.ForeignKey(ModelFamily, on_delete=models.PROTECT, related_name="programme_publications")
    stage = models.CharField(max_length=20)
    published_at = models.DateTimeField()
    published_by_id = models.CharField(max_length=60)
    published_by = models.CharField(max_length=150)
    reason = models.TextField()

    class Meta:
        db_table = "programme_publication"
        ordering = ["-published_at", "-id"]
        indexes = [models.Index(fields=["family", "stage", "published_at"], name="programme_in_force")]

    def __str__(self) -> str:
        return f"{self.programme_id[:12]} for {self.family_id} at {self.stage}"

    @property
    def place(self) -> Stage:
        """The stage as the ladder describes it."""
        return stage_of(self.stage)


class EligibilityTrace(models.Model):
    """What the rules of the pinned programme said when an application was handed in; never changed."""

    application = models.ForeignKey("access.Application", on_delete=models.CASCADE, related_name="traces")
    programme = models.ForeignKey(ProgrammeVersion, on_delete=models.PROTECT, related_name="+")
    evaluator = models.CharField(max_length=10)
    outcome = models.CharField(max_length=10)
    lines = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        db_table = "eligibility_trace"
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"trace of {self.application_id}: {self.outcome}"
