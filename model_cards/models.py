"""CardVersion: the text of a size's card at one time."""

from __future__ import annotations

from django.db import models

from release_portal.registry.models import ModelSize


class CardVersion(models.Model):
    """Immutable text of a model card in Hub README format; each edit is a new version."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="card_versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    digest = models.CharField(max_length=64)
    summary = models.CharField(max_length=200, blank=True)
    author_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "card_version"
        ordering = ["-number"]
        constraints = [models.UniqueConstraint(fields=["size", "number"], name="one_card_per_number")]

    def __str__(self) -> str:
        return f"card {self.number} of {self.size_id}"
