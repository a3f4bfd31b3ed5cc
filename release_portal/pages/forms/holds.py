"""Forms that hold a size, restrict its use, confirm that and release it."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.pages.forms.base import ServiceForm, reason_field, version_field
from release_portal.releases.hold_rules import COHORT, COHORTS, FEATURES, OFF_FUNCTIONS, PLAIN, QUOTAS, STOP

COHORT_WORDS = dict(zip(COHORTS, (_("partner grants"), _("research grants"), _("people without a grant")), strict=True))
FUNCTION_WORDS = dict(zip(OFF_FUNCTIONS, (_("detect"), _("download weights")), strict=True))


def _reason() -> forms.CharField:
    return forms.CharField(
        label=_("Why?"),
        help_text=_("The public timeline shows this sentence with your name. Name no reporter."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )


class RaiseForm(ServiceForm):
    kind = forms.CharField(label=_("What shall happen?"), widget=forms.HiddenInput)
    reason = _reason()
    expected_version = version_field()


class QuotasForm(RaiseForm):
    percent = forms.CharField(
        label=_("What is left of every quota, in percent?"),
        help_text=_("1 to 99: tokens a day, requests a minute, requests at once."),
        widget=forms.NumberInput(attrs={"min": 1, "max": 99}),
    )
    field_order = ("kind", "percent", "reason", "expected_version")


class FeaturesForm(RaiseForm):
    functions = forms.MultipleChoiceField(
        label=_("What is switched off?"),
        choices=list(FUNCTION_WORDS.items()),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    max_tokens = forms.CharField(
        label=_("Longest output, in tokens"), required=False, widget=forms.NumberInput(attrs={"min": 1})
    )
    field_order = ("kind", "functions", "max_tokens", "reason", "expected_version")


class CohortForm(RaiseForm):
    cohort = forms.ChoiceField(
        label=_("Whose use is suspended?"), choices=list(COHORT_WORDS.items()), widget=forms.RadioSelect
    )
    field_order = ("kind", "cohort", "reason", "expected_version")


RAISE_FORMS: dict[str, type[RaiseForm]] = {
    PLAIN: RaiseForm,
    STOP: RaiseForm,
    QUOTAS: QuotasForm,
    FEATURES: FeaturesForm,
    COHORT: CohortForm,
}


class ConfirmHoldForm(ServiceForm):
    reason = reason_field(_("What did you check?"), _("The record keeps it."), required=False)
    expected_version = version_field()


class ReleaseForm(ServiceForm):
    reason = reason_field(_("What was found?"), _("The public timeline shows this sentence with your name."))
    expected_version = version_field()
