"""The form that sends a file of requests."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from release_portal.batches.services import Order
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm


class BatchFileForm(ServiceForm):
    file = forms.FileField(label=_("File of requests"), widget=forms.FileInput(attrs={"accept": ".jsonl,.ndjson,.txt"}))
    submit_key = forms.CharField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        most = {"lines": f"{settings.BATCH_MAX_LINES:,}", "mb": f"{settings.BATCH_MAX_BYTES / 1_000_000:g}"}
        self.fields["file"].help_text = (
            _("JSON lines: one request a line, at most %(lines)s lines and %(mb)s MB.") % most
        )

    def upload(self) -> tuple[str, bytes]:
        """Return name and bytes of the file that was sent."""
        sent: UploadedFile[Any] | None = self.files.get(self.add_prefix("file"))
        if sent is None:
            raise InvalidInput("Choose a file.", field="file")
        return sent.name or "", sent.read()

    def order(self) -> Order:
        """Return what is asked for; the file has no id yet, and names its address itself."""
        return Order("", "", submit_key=self.text("submit_key")[:80] or None)
