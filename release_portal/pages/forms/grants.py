"""Forms for the commands on a grant."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.revocation_rules import REVOCATION_REASONS
from release_portal.pages.forms.base import ServiceForm


class SuspendForm(ServiceForm):
    reason = forms.CharField(
        label=_("Why do you suspend it?"),
        help_text=_("The holder reads this sentence wherever the grant would have been used."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)


class SurrenderForm(ServiceForm):
    reason = forms.CharField(
        label=_("Do you want to say why?"),
        help_text=_("The grant ends at once and running work stops. To use the size again you apply anew."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)


class ConfirmForm(ServiceForm):
    reason = forms.CharField(
        label=_("What did you check?"),
        help_text=_("The record keeps it."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)


class LiftForm(ServiceForm):
    reason = forms.CharField(
        label=_("What was found?"), help_text=_("The record keeps it."), widget=forms.Textarea(attrs={"rows": 3})
    )
    unfounded = forms.BooleanField(
        label=_("The suspension was unfounded: add the time back"),
        help_text=_("The end of the grant moves by as long as it was suspended."),
        required=False,
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)


class ProposeForm(ServiceForm):
    code = forms.ChoiceField(label=_("Reason"), choices=[("", _("Choose a reason")), *REVOCATION_REASONS.items()])
    explanation = forms.CharField(
        label=_("What exactly?"),
        help_text=_("The holder reads it. The grant is suspended until another lead confirms; else it lapses."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)


class RevokeForm(ServiceForm):
    reason = forms.CharField(
        label=_("What did you check?"),
        help_text=_("The record keeps it. The grant ends for good; the holder may appeal."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)
