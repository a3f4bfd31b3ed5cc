"""The form that attaches a file to an application."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from release_portal.access.attachments.rules import Upload
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm

ACCEPT = ".pdf,.png,.jpg,.jpeg,.txt"


class AttachForm(ServiceForm):
    file = forms.FileField(label=_("File"), widget=forms.FileInput(attrs={"accept": ACCEPT}))
    field_key = forms.CharField(label=_("Question"), widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        largest = f"{settings.ATTACHMENT_MAX_BYTES / 1_000_000:g}"
        self.fields["file"].help_text = _("PDF, PNG, JPEG or plain text (.txt), at most %(mb)s MB.") % {"mb": largest}

    def upload(self) -> Upload:
        """Return the file that was sent."""
        sent: UploadedFile[Any] | None = self.files.get(self.add_prefix("file"))
        if sent is None:
            raise InvalidInput("Choose a file.", field="file")
        return Upload(sent.name or "", sent.content_type or "", sent.read())
