"""Attachment: a file that an applicant put to their application."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import models

from release_portal.access.attachments.contents import KINDS
from release_portal.access.attachments.rules import LONGEST_FIELD, LONGEST_NAME
from release_portal.access.models.applications import Application
from release_portal.access.models.questions import Question


def new_attachment_id() -> str:
    """Return a short id that says nothing about how many files there are."""
    return f"f-{secrets.token_hex(5)}"


class Attachment(models.Model):
    """What is known of a file; its bytes lie sealed in the private storage."""

    id = models.CharField(max_length=20, primary_key=True, default=new_attachment_id)
    application = models.ForeignKey(Application, on_delete=models.PROTECT, related_name="attachments")
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="attachments")
    question = models.ForeignKey(Question, on_delete=models.SET_NULL, null=True, related_name="attachments")
    field_key = models.CharField(max_length=LONGEST_FIELD, blank=True)  # the question of the form that it answers
    name = models.CharField(max_length=LONGEST_NAME)
    kind = models.CharField(max_length=8, choices=[(kind.slug, kind.label) for kind in KINDS.values()])
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    stored_as = models.CharField(max_length=64, unique=True)
    uploaded_at = models.DateTimeField()

    class Meta:
        db_table = "attachment"
        ordering = ["uploaded_at", "pk"]

    def __str__(self) -> str:
        return self.id

    @property
    def media_type(self) -> str:
        """How it is served."""
        return KINDS[self.kind].media_type
