"""Revocation."""

from __future__ import annotations

from django.db import models

from release_portal.access.models.grants import Grant, Suspension


class Revocation(models.Model):
    """One lead proposes to end a grant for good, another person confirms; meanwhile it is suspended.

    A proposal lives as long as its suspension: lifted or lapsed, it is over.
    """

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="revocations")
    suspension = models.ForeignKey(Suspension, on_delete=models.PROTECT, related_name="revocations")
    code = models.CharField(max_length=30)
    text = models.TextField()
    by_id = models.CharField(max_length=60)
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    confirmed_by_id = models.CharField(max_length=60, blank=True)
    confirmed_by_name = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    restored_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        db_table = "revocation"
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["suspension"], name="one_revocation_per_suspension"),
            models.CheckConstraint(
                condition=models.Q(confirmed_by_id="") | ~models.Q(confirmed_by_id=models.F("by_id")),
                name="revocation_confirmed_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"revocation of {self.grant_id}"
