"""Attachment and DutyFile: files with an application, and files with a duty of a grant."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models

from release_portal.access.attachments.contents import KINDS
from release_portal.access.attachments.rules import LONGEST_FIELD, LONGEST_NAME
from release_portal.access.models.applications import Application
from release_portal.access.models.obligations import Obligation
from release_portal.access.models.questions import Question


def new_attachment_id() -> str:
    """Return a short id that says nothing about how many files there are."""
    return f"f-{secrets.token_hex(5)}"


class KeptFile(models.Model):
    """What is known of any file; its bytes lie sealed in the private storage."""

    name = models.CharField(max_length=LONGEST_NAME)
    kind = models.CharField(max_length=8, choices=[(kind.slug, kind.label) for kind in KINDS.values()])
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=64, unique=True)
    uploaded_at = models.DateTimeField()

    class Meta:
        abstract = True

    @property
    def media_type(self) -> str:
        """How it is served."""
        return KINDS[self.kind].media_type


class Attachment(KeptFile):
    """A file that an applicant put to their application."""

    id = models.CharField(max_length=20, primary_key=True, default=new_attachment_id)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="attachments")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="attachments")
    question = models.ForeignKey(Question, on_delete=models.SET_NULL, null=True, related_name="attachments")
    field_key = models.CharField(max_length=LONGEST_FIELD, blank=True)  # the question of the form that it answers

    class Meta:
        db_table = "attachment"
        ordering = ["uploaded_at", "pk"]

    def __str__(self) -> str:
        return self.id


class DutyFile(KeptFile):
    """A file that a holder handed in with a duty."""

    id = models.CharField(max_length=20, primary_key=True, default=new_attachment_id)
    obligation = models.ForeignKey(Obligation, on_delete=models.PROTECT, related_name="files")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="duty_files")

    class Meta:
        db_table = "obligation_file"
        ordering = ["uploaded_at", "pk"]

    def __str__(self) -> str:
        return self.id
