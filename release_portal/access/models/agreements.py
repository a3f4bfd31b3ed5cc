"""AgreementVersion and Signature."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.conf import settings
from django.db import models


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text, by which signatures name it."""
    return hashlib.sha256(text.encode()).hexdigest()


class AgreementVersionQuerySet(models.QuerySet["AgreementVersion"]):
    """Words for agreement versions."""

    def in_force(self, at: datetime) -> AgreementVersion | None:
        """The version that an application must accept at that time, if one is published."""
        return self.filter(effective_from__lte=at).order_by("-number").first()


class AgreementVersion(models.Model):
    """The terms of access as they were published once; a change is a new version, never an edit."""

    number = models.PositiveSmallIntegerField(unique=True)
    text = models.TextField()
    sha256 = models.CharField(max_length=64, unique=True)
    effective_from = models.DateTimeField()
    published_by = models.CharField(max_length=150)
    published_at = models.DateTimeField()

    objects = AgreementVersionQuerySet.as_manager()

    class Meta:
        db_table = "agreement_version"
        ordering = ["-number"]
        constraints = [models.CheckConstraint(condition=models.Q(number__gt=0), name="agreement_numbers_begin_at_1")]

    def __str__(self) -> str:
        return f"agreement version {self.number}"

    @property
    def is_intact(self) -> bool:
        """Whether the text is still the one that was published and signed."""
        return text_hash(self.text) == self.sha256


class Signature(models.Model):
    """A person accepted one version of the agreement, bound to the hash of the text that they were shown."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signatures")
    agreement = models.ForeignKey(AgreementVersion, on_delete=models.PROTECT, related_name="signatures")
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        db_table = "signature"
        ordering = ["-at"]
        constraints = [models.UniqueConstraint(fields=["account", "agreement"], name="version_signed_once")]

    def __str__(self) -> str:
        return f"signature of {self.account_id} under version {self.agreement_id}"
