"""Forms that withdraw a size, recall its weights, review its stage, and carry partner reports."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm, version_field


def _text(label: Any, hint: Any = "", rows: int = 3, *, required: bool = True) -> forms.CharField:
    area = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(label=label, help_text=hint, required=required, widget=area)


def _password() -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "current-password"})
    return forms.CharField(label=_("Your password"), help_text=_("To be sure that it is you."), widget=widget)


class WithdrawForm(ServiceForm):
    what = _text(_("What is withdrawn?"), _("The public reads the tombstone from the second person's word on."), 2)
    why = _text(_("Why?"), _("The public timeline shows this sentence with your name at once."))
    copies = _text(_("Which copies are known outside?"), _("Write none where none is known."), 2)
    replacement = _text(_("What can people use instead?"), rows=2, required=False)
    typed = forms.CharField(label=_("Type the word withdraw"), widget=forms.TextInput(attrs={"autocomplete": "off"}))
    password = _password()
    expected_version = version_field()


class ConfirmWithdrawalForm(ServiceForm):
    password = _password()
    expected_version = version_field()


class RecallForm(ServiceForm):
    reason = _text(_("Why are the weights recalled?"), _("Every recipient reads it, and the public does."))


class RecipientForm(ServiceForm):
    name = forms.CharField(label=_("Who else has a copy?"))
    contact = forms.CharField(label=_("How were they told?"), help_text=_("An address, and the day."))


class CloseRecallForm(ServiceForm):
    note = _text(_("What was reached, and what was not?"), _("The public timeline shows it with your name."))
    expected_version = version_field()


class AcknowledgeForm(ServiceForm):
    pass


class DeletionForm(ServiceForm):
    statement = _text(_("Which copies were deleted, and how?"), _("The statement stands; it is not changed later."))


class PartnerReportForm(ServiceForm):
    report = _text(
        _("What did you study, and what did you find?"), _("The report is kept as it is; nobody edits it."), 10
    )
    is_adverse = forms.BooleanField(
        label=_("The findings speak against wider release"),
        help_text=_("The size is then held, and the lab must answer."),
        required=False,
    )


class AnswerReportForm(ServiceForm):
    answer = _text(_("Your answer"), _("The partner reads it."))


class ReviewForm(ServiceForm):
    reason = _text(_("What was looked at, and what was found?"), _("The public timeline shows it with your name."))


class SunsetForm(ServiceForm):
    sunset_at = forms.CharField(
        label=_("When is it retired?"),
        help_text=_("90 days from now, or later. For example 2027-03-31."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    reason = _text(_("Why?"), _("The public timeline shows it with your name."))


class CallOffForm(ServiceForm):
    reason = _text(_("Why is the retirement called off?"), _("The public timeline shows it with your name."))
