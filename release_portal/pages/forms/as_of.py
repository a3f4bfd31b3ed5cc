"""The form that looks back: where did it stand at that time?"""

from __future__ import annotations

from datetime import datetime

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.times import moment_of


class AsOfForm(ServiceForm):
    """One time in UTC, in the address of the page."""

    as_of = forms.CharField(
        label=_("Date and time (UTC)"),
        help_text=_("For example 2026-01-31T12:00"),
        required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
    )

    def moment(self, at: datetime) -> datetime | None:
        """Return the time that was asked for, or None for now.

        Raises:
            InvalidInput: it is no time, or it has not come yet.
        """
        written = self.text("as_of").strip()
        if not written:
            return None
        asked = moment_of(written, "as_of")
        if asked > at:
            raise InvalidInput(
                "This time has not come yet.", field="as_of", change="Choose a time in the past, or leave it empty."
            )
        return asked

    def keep_as_text(self) -> None:
        """Show what was typed even where it is no time; a native input would drop it."""
        self.fields["as_of"].widget.input_type = "text"


def looking_back(request: HttpRequest, at: datetime) -> tuple[AsOfForm, datetime | None, int]:
    """Return the form of a page, the time it asks for (None: now), and the status of the answer."""
    form = AsOfForm(request.GET) if "as_of" in request.GET else AsOfForm()
    if not form.is_bound:
        return form, None, 200
    try:
        return form, form.moment(at), 200
    except InvalidInput as error:
        form.keep_as_text()
        form.refuse(error)
        return form, None, error.status
