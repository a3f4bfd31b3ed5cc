"""CloseOut."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from release_portal.access.closing_rules import DISPOSALS
from release_portal.access.models.grants import Grant


class CloseOut(models.Model):
    """What a holder says at the end of a grant: what came of it, and what became of weights and copies."""

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="closings")
    report = models.TextField()
    disposal = models.CharField(max_length=20, choices=list(DISPOSALS.items()))
    statement = models.TextField()
    handed_in_at = models.DateTimeField()
    looked_by_id = models.CharField(max_length=60, blank=True)
    looked_by = models.CharField(max_length=150, blank=True)
    closed_at = models.DateTimeField(null=True)
    voided_at = models.DateTimeField(null=True)  # an appeal gave the grant back

    class Meta:
        db_table = "close_out"
        ordering = ["-handed_in_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["grant"], condition=Q(voided_at=None), name="one_close_out_per_grant")
        ]

    def __str__(self) -> str:
        return f"close-out of {self.grant_id}"
