"""Forms for the commands on a grant."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.models import Grant
from release_portal.access.purposes import PURPOSES
from release_portal.access.quota import Limits
from release_portal.access.revocation_rules import REVOCATION_REASONS
from release_portal.access.scope_rules import Scope
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm, reason_field, version_field
from release_portal.pages.forms.sampler import sampler_fields, sampler_of, sampler_words
from release_portal.pages.words import FUNCTIONS


class SuspendForm(ServiceForm):
    reason = forms.CharField(
        label=_("Why do you suspend it?"),
        help_text=_("The holder reads this sentence wherever the grant would have been used."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = version_field()


def limits_typed(form: ServiceForm) -> Limits:
    """Return the quota that was typed in."""
    return Limits(*(whole_number(form, name) for name in ("tokens_per_day", "requests_per_minute", "concurrent")))


def whole_number(form: ServiceForm, name: str) -> int:
    """Return a whole number that was typed in."""
    written = form.text(name).replace(",", "").strip()
    if not (written.isascii() and written.isdecimal() and len(written) <= 12):
        raise InvalidInput("Write a whole number.", field=name)
    return int(written)


def _number(label: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}))


class RestrictForm(ServiceForm):
    functions = forms.MultipleChoiceField(label=_("Functions that stay"), widget=forms.CheckboxSelectMultiple)
    purposes = forms.MultipleChoiceField(label=_("Purposes that stay"), widget=forms.CheckboxSelectMultiple)
    tokens_per_day = _number(_("Tokens a day"))
    requests_per_minute = _number(_("Requests a minute"))
    concurrent = _number(_("Requests at once"))
    reason = forms.CharField(
        label=_("Why do you narrow it?"),
        help_text=_("The holder reads it with what changed. Work that may go beyond it stops."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = version_field()

    def __init__(self, *args: Any, grant: Grant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scope = grant.scope()
        self.fields |= sampler_fields()
        self.order_fields([name for name in self.fields if name not in ("reason", "expected_version")])
        self.set_choices("functions", [(name, FUNCTIONS.get(name, name)) for name in sorted(scope.functions)])
        self.set_choices("purposes", [(code, f"{code} {PURPOSES[code]}") for code in sorted(scope.purposes)])
        if not scope.purposes:
            del self.fields["purposes"]
        limits = {name: getattr(scope.limits, name) for name in ("tokens_per_day", "requests_per_minute", "concurrent")}
        held = {"functions": sorted(scope.functions), "purposes": sorted(scope.purposes)}
        self.initial = {**held, **limits, **sampler_words(scope.sampler), **self.initial}

    def scope(self) -> Scope:
        """Return what shall be left."""
        purposes = self.texts("purposes") if "purposes" in self.fields else []
        return Scope(frozenset(self.texts("functions")), frozenset(purposes), limits_typed(self), sampler_of(self))


class SurrenderForm(ServiceForm):
    reason = reason_field(
        _("Do you want to say why?"),
        _("The grant ends at once and running work stops. To use the size again you apply anew."),
        required=False,
    )
    expected_version = version_field()


class ConfirmForm(ServiceForm):
    reason = forms.CharField(
        label=_("What did you check?"),
        help_text=_("The record keeps it."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = version_field()


class LiftForm(ServiceForm):
    reason = forms.CharField(
        label=_("What was found?"), help_text=_("The record keeps it."), widget=forms.Textarea(attrs={"rows": 3})
    )
    unfounded = forms.BooleanField(
        label=_("The suspension was unfounded: add the time back"),
        help_text=_("The end of the grant moves by as long as it was suspended."),
        required=False,
    )
    expected_version = version_field()


class ProposeForm(ServiceForm):
    code = forms.ChoiceField(label=_("Reason"), choices=[("", _("Choose a reason")), *REVOCATION_REASONS.items()])
    explanation = forms.CharField(
        label=_("What exactly?"),
        help_text=_("The holder reads it. The grant is suspended until another lead confirms; else it lapses."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    expected_version = version_field()


class RevokeForm(ServiceForm):
    reason = forms.CharField(
        label=_("What did you check?"),
        help_text=_("The record keeps it. The grant ends for good; the holder may appeal."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = version_field()
