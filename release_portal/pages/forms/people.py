"""The form that gives or takes a role."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.accounts.roles import Role
from release_portal.pages.forms.base import ServiceForm


class RoleForm(ServiceForm):
    change = forms.CharField(label=_("Change"), widget=forms.HiddenInput)
    role = forms.ChoiceField(label=_("Role"))
    reason = forms.CharField(
        label=_("Reason"), help_text=_("One sentence. The record keeps it with your name."), widget=forms.TextInput
    )

    def __init__(self, *args: Any, roles: Iterable[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("Choose a role"))] + [(role, Role(role).label.capitalize()) for role in roles]
        self.set_choices("role", choices)
