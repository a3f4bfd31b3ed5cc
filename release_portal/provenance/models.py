"""ServedSample and Fingerprint: which generations the portal served, without their text."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.db import models

from release_portal.jobs.models import Job


class ServedSampleQuerySet(models.QuerySet["ServedSample"]):
    """Words for served samples."""

    def served_until(self, at: datetime) -> Self:
        """Samples that had been written down by that time."""
        return self.filter(written_at__lte=at)


class ServedSample(models.Model):
    """One sample of one generation, as the record knows it: how long it was and under which key it is fingerprinted."""

    job = models.ForeignKey(Job, on_delete=models.PROTECT, related_name="served_samples")
    sample = models.PositiveSmallIntegerField()
    words = models.PositiveIntegerField()
    key_version = models.CharField(max_length=20)
    written_at = models.DateTimeField()

    objects = ServedSampleQuerySet.as_manager()

    class Meta:
        db_table = "served_sample"
        constraints = [models.UniqueConstraint(fields=["job", "sample"], name="one_record_per_sample")]

    def __str__(self) -> str:
        return f"{self.job_id} sample {self.sample}"


class Fingerprint(models.Model):
    """One keyed fingerprint of a sample: 64 bits, and the number of the word at which its shingle starts."""

    value = models.BigIntegerField()
    sample = models.ForeignKey(ServedSample, on_delete=models.CASCADE, related_name="fingerprints", db_index=False)
    position = models.PositiveIntegerField()

    class Meta:
        db_table = "fingerprint"
        indexes = [
            # Every question goes by value; the sample behind it makes counting hits per sample an index scan.
            models.Index(fields=["value", "sample"], name="fingerprint_value"),
            models.Index(fields=["sample"], name="fingerprint_sample"),
        ]

    def __str__(self) -> str:
        return f"{self.value:x} at {self.position}"
