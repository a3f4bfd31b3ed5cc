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


def file_field(label: Any, *, required: bool = True) -> forms.FileField:
    """Return a field for one file of a kind that is taken; `say_what_is_taken` adds its hint."""
    return forms.FileField(label=label, required=required, widget=forms.FileInput(attrs={"accept": ACCEPT}))


def say_what_is_taken(form: ServiceForm) -> None:
    """Write beside the field which files are taken, and how large they may be."""
    largest = f"{settings.ATTACHMENT_MAX_BYTES / 1_000_000:g}"
    form.fields["file"].help_text = _("PDF, PNG, JPEG or plain text (.txt), at most %(mb)s MB.") % {"mb": largest}


def upload_of(form: ServiceForm) -> Upload | None:
    """Return the file that was sent, if one was."""
    sent: UploadedFile[Any] | None = form.files.get(form.add_prefix("file"))
    return Upload(sent.name or "", sent.content_type or "", sent.read()) if sent else None


class AttachForm(ServiceForm):
    file = file_field(_("File"))
    field_key = forms.CharField(label=_("Question"), widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        say_what_is_taken(self)

    def upload(self) -> Upload:
        """Return the file that was sent."""
        sent = upload_of(self)
        if sent is None:
            raise InvalidInput("Choose a file.", field="file")
        return sent
