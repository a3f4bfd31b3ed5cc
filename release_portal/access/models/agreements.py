"""AgreementDraft, AgreementVersion and Signature."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from release_portal.access.agreements.rules import DRAFT, RETIRED, SCHEDULED, VersionFacts, state_of


def text_hash(text: str) -> str:
    """Return the SHA-256 of a text, by which signatures name it."""
    return hashlib.sha256(text.encode()).hexdigest()


class AgreementVersionQuerySet(models.QuerySet["AgreementVersion"]):
    """Words for agreement versions."""

    def standing(self) -> Self:
        """Versions that were not retired before their day."""
        return self.filter(retired_at=None)

    def in_effect(self, at: datetime) -> Self:
        """Versions whose day was reached by then, superseded ones included."""
        return self.standing().filter(effective_from__lte=at)

    def in_force(self, at: datetime) -> AgreementVersion | None:
        """The version that an application must accept at that time, if one is published."""
        return self.in_effect(at).order_by("-number").first()


class AgreementVersion(models.Model):
    """The terms of access, settled once by two people; a change is a new version, never an edit."""

    number = models.PositiveSmallIntegerField(unique=True)
    text = models.TextField()
    sha256 = models.CharField(max_length=64, unique=True)
    effective_from = models.DateTimeField()
    is_material = models.BooleanField(default=True)
    reason = models.TextField(blank=True)  # why it changed, and why that is material or not
    drafted_by_id = models.CharField(max_length=60, blank=True)
    drafted_by = models.CharField(max_length=150, blank=True)
    published_by_id = models.CharField(max_length=60, blank=True)
    published_by = models.CharField(max_length=150)
    published_at = models.DateTimeField()
    retired_at = models.DateTimeField(null=True)
    retired_by = models.CharField(max_length=150, blank=True)
    retire_reason = models.TextField(blank=True)

    objects = AgreementVersionQuerySet.as_manager()

    class Meta:
        db_table = "agreement_version"
        ordering = ["-number"]
        constraints = [
            models.CheckConstraint(condition=Q(number__gt=0), name="agreement_numbers_begin_at_1"),
            models.CheckConstraint(
                condition=Q(drafted_by_id="") | ~Q(drafted_by_id=F("published_by_id")),
                name="agreement_approved_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"agreement version {self.number}"

    @property
    def is_intact(self) -> bool:
        """Whether the text is still the one that was published and signed."""
        return text_hash(self.text) == self.sha256

    def facts(self) -> VersionFacts:
        """Return what the rule of signatures needs to know."""
        return VersionFacts(self.number, self.effective_from, self.is_material)

    def state_at(self, at: datetime, *, newest: int) -> str:
        """Return the state at that time.

        Args:
            newest: number of the version in force then; 0 when none is.
        """
        is_newest, is_retired = self.number >= newest, self.retired_at is not None
        return state_of(self.effective_from, is_newest=is_newest, is_retired=is_retired, at=at)


class AgreementDraft(models.Model):
    """A text that people still work on; another person than any of them makes a version of it."""

    text = models.TextField()
    effective_from = models.DateTimeField()
    is_material = models.BooleanField(default=True)
    reason = models.TextField()
    editor_ids = models.JSONField(default=list)  # every account that wrote any of it
    edited_by = models.CharField(max_length=150)
    edited_at = models.DateTimeField()
    state = models.CharField(
        max_length=10, default=DRAFT, choices=[(state, state) for state in (DRAFT, SCHEDULED, RETIRED)]
    )
    agreement = models.OneToOneField(AgreementVersion, on_delete=models.PROTECT, null=True, related_name="draft")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "agreement_draft"
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"agreement draft {self.pk}"


class SignatureQuerySet(models.QuerySet["Signature"]):
    """Words for signatures."""

    def standing(self, at: datetime) -> Self:
        """Signatures that were given by then and not taken back."""
        return self.filter(Q(withdrawn_at=None) | Q(withdrawn_at__gt=at), at__lte=at)


class Signature(models.Model):
    """A person accepted one version of the agreement, bound to the hash of the text that they were shown."""

    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="signatures")
    agreement = models.ForeignKey(AgreementVersion, on_delete=models.PROTECT, related_name="signatures")
    sha256 = models.CharField(max_length=64)
    at = models.DateTimeField()
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_reason = models.TextField(blank=True)

    objects = SignatureQuerySet.as_manager()

    class Meta:
        db_table = "signature"
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["account", "agreement"], condition=Q(withdrawn_at=None), name="version_signed_once"
            )
        ]

    def __str__(self) -> str:
        return f"signature of {self.account_id} under version {self.agreement_id}"
