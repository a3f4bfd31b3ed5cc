"""Forms that roll a size back and confirm it."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm, reason_field, version_field


class MoveForm(ServiceForm):
    stage = forms.CharField(label=_("Roll back to"))
    reason = forms.CharField(
        label=_("Why does it move?"),
        help_text=_("The public timeline shows this sentence with your name."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    expected_version = version_field()


class ConfirmNarrowingForm(ServiceForm):
    reason = reason_field(_("What did you check?"), _("The record keeps it."), required=False)
    expected_version = version_field()
