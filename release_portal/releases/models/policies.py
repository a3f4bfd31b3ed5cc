"""PolicyVersion and PolicyAdoption: the rules by their digest, and which of them is in force."""

from __future__ import annotations

from django.db import models

from release_portal.registry.models import ModelFamily


class PolicyVersion(models.Model):
    """One policy file, immutable, known by the digest of its bytes."""

    digest = models.CharField(max_length=64, primary_key=True)
    name = models.CharField(max_length=60)
    version = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    text = models.TextField()
    stored_at = models.DateTimeField()
    stored_by = models.CharField(max_length=150)

    class Meta:
        db_table = "policy_version"
        ordering = ["name", "-version"]
        constraints = [models.UniqueConstraint(fields=["name", "version"], name="policy_version_once")]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


class PolicyAdoption(models.Model):
    """From when on a policy is in force, for one family or for all that have none of their own."""

    policy = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="adoptions")
    family = models.ForeignKey(
        ModelFamily, on_delete=models.PROTECT, null=True, blank=True, related_name="policy_adoptions"
    )
    adopted_at = models.DateTimeField()
    adopted_by_id = models.CharField(max_length=60, blank=True)
    adopted_by = models.CharField(max_length=150)
    reason = models.TextField(blank=True)

    class Meta:
        db_table = "policy_adoption"
        ordering = ["-adopted_at", "-id"]

    def __str__(self) -> str:
        return f"{self.policy_id[:12]} for {self.family_id or 'all'}"
