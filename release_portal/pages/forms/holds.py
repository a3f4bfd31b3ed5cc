"""Forms that hold a size, stop its use, confirm that and release it."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm

PLAIN, STOP = "hold", "stop"


class RaiseForm(ServiceForm):
    kind = forms.CharField(label=_("What shall happen?"), widget=forms.HiddenInput)
    reason = forms.CharField(
        label=_("Why?"),
        help_text=_("The public timeline shows this sentence with your name. Name no reporter."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)


class ConfirmHoldForm(ServiceForm):
    reason = forms.CharField(
        label=_("What did you check?"),
        help_text=_("The record keeps it."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)


class ReleaseForm(ServiceForm):
    reason = forms.CharField(
        label=_("What was found?"),
        help_text=_("The public timeline shows this sentence with your name."),
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)
