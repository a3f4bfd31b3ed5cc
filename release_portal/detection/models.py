"""DetectionReport: one text that somebody asked about, and what was found."""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.db import models

from inference.contract import ScoredToken
from release_portal.core.keys import seal, unseal
from release_portal.detection.evidence import Evidence, score_of
from release_portal.jobs.models import Job
from release_portal.provenance.matching import Match
from release_portal.registry.models import ModelSize

WAITING, SCORED, FAILED = "waiting", "scored", "failed"


def new_report_id() -> str:
    """Return a public id that cannot be guessed."""
    return f"det-{secrets.token_hex(12)}"


class DetectionReport(models.Model):
    """Evidence about one text; the text is sealed, and only its owner reads it."""

    id = models.CharField(max_length=32, primary_key=True, default=new_report_id)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="detection_reports")
    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="detection_reports")
    job = models.OneToOneField(Job, on_delete=models.PROTECT, related_name="detection_report")
    sealed_text = models.BinaryField()
    text_sha256 = models.CharField(max_length=64)
    match_data = models.JSONField()  # Match.to_data; what the record said when it was asked
    evidence_data = models.JSONField(null=True, blank=True)  # Evidence.to_data; numbers only, written at settlement
    detectors = models.JSONField(default=dict)  # name -> version that made the evidence
    created_at = models.DateTimeField()
    scored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "detection_report"
        ordering = ["-created_at", "id"]
        indexes = [models.Index(fields=["owner", "-created_at"], name="detection_history")]

    def __str__(self) -> str:
        return self.id

    @property
    def text(self) -> str:
        """The text, unsealed; for its owner only."""
        return unseal(self.sealed_text)

    @property
    def match(self) -> Match:
        """What the portal's own record said."""
        return Match.from_data(self.match_data)

    @property
    def evidence(self) -> Evidence | None:
        """The numbers; None before the score is there, or when it failed."""
        data: dict[str, Any] | None = self.evidence_data
        return Evidence.from_data(data) if data else None

    @property
    def state(self) -> str:
        """Waiting, scored or failed."""
        if self.job.is_open:
            return WAITING
        return SCORED if self.evidence_data else FAILED

    @property
    def tokens(self) -> tuple[ScoredToken, ...]:
        """What the model thought of each token, unsealed; for its owner only."""
        output = self.job.output
        return score_of(output[0]).tokens if self.evidence_data and output else ()

    @staticmethod
    def sealed(text: str) -> bytes:
        """Return text as the sealed column holds it."""
        return seal(text)
