"""The form that asks for the deletion of one's own account."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm


class DeleteForm(ServiceForm):
    typed = forms.CharField(
        label=_("The name of your account"),
        help_text=_("Typed by you, so that it does not happen by a slip."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    password = forms.CharField(
        label=_("Your password"), widget=forms.PasswordInput(attrs={"autocomplete": "current-password"})
    )
