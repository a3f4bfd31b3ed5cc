"""The form that moves a size to another stage."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm


class MoveForm(ServiceForm):
    stage = forms.CharField(label=_("Move to"))
    reason = forms.CharField(
        label=_("Why does it move?"),
        help_text=_("The public timeline shows this sentence with your name."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)
