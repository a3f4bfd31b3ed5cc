"""Files of an application."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from release_portal.access.attachments.contents import KINDS
from release_portal.access.attachments.rules import LONGEST_FIELD
from release_portal.api.fields import Input, Text


class UploadInput(Input):
    """A file: the parts of multipart/form-data."""

    file = serializers.FileField(help_text="PDF, PNG, JPEG or plain text; name, type and content must agree.")
    field_key = Text(max_length=LONGEST_FIELD, required=False, allow_blank=True, help_text="The question it answers.")


class AttachmentFacts(serializers.Serializer[Any]):
    """What is known of a file."""

    id = serializers.CharField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(list(KINDS))
    size = serializers.IntegerField(help_text="In bytes.")
    sha256 = serializers.CharField()
    field_key = serializers.CharField(help_text="The question it answers; empty for none.")
    uploaded_at = serializers.DateTimeField()


class AttachmentsFacts(serializers.Serializer[Any]):
    """Every file of an application."""

    results = AttachmentFacts(many=True)


class Removed(serializers.Serializer[Any]):
    """A file that is gone."""

    id = serializers.CharField()
    removed = serializers.BooleanField()
