"""Forms of the agreement: sign, take back, write, approve, retire."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.agreements.drafts import Wording
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ServiceForm, reason_field, version_field
from release_portal.pages.forms.times import moment_field, moment_of

MATERIAL, MINOR = "material", "minor"


class SignForm(ServiceForm):
    agreement = forms.BooleanField(label=_("I have read this version and accept it"))
    agreement_hash = forms.CharField(label=_("Agreement"), widget=forms.HiddenInput)

    def accepted(self) -> str:
        """Return the hash of the text that was shown and accepted; empty when it was not accepted."""
        return self.text("agreement_hash") if self.ticked("agreement") else ""


class TakeBackForm(ServiceForm):
    reason = reason_field(_("Do you want to say why?"), required=False)
    typed = forms.CharField(label=_("Type: withdraw"), help_text=_("Your grants end at once, and running work stops."))

    def confirm(self) -> None:
        """Refuse unless the word was typed."""
        if self.text("typed").strip().casefold() != "withdraw":
            raise InvalidInput("The word was not typed.", field="typed", change="Type: withdraw")


class DraftForm(ServiceForm):
    wording = forms.CharField(
        label=_("Text"),
        help_text=_("Markdown. Begin from the version in force; the difference is shown before anybody approves."),
        widget=forms.Textarea(attrs={"rows": 20, "data-keep": "agreement:text"}),
    )
    effective_from = moment_field(_("In force from"), _("In UTC. People see it from then on."))
    weight = forms.ChoiceField(
        label=_("Does the change matter?"),
        help_text=_("A material version must be accepted within 30 days; then the grants of who has not rest."),
        choices=[
            (MATERIAL, _("Material: everybody must accept it anew")),
            (MINOR, _("Minor: only new applications accept it")),
        ],
        widget=forms.RadioSelect,
    )
    reason = forms.CharField(
        label=_("What changed, and why does it matter or not?"),
        help_text=_("Everybody reads it beside the text."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    expected_version = version_field(required=False)

    def said(self) -> Wording:
        """Return what the draft says."""
        weight = self.text("weight")
        if weight not in (MATERIAL, MINOR):
            raise InvalidInput("Say whether the change matters.", field="weight", change="Choose one of the two.")
        moment = moment_of(self.text("effective_from"), "effective_from")
        return Wording(self.text("wording"), moment, weight == MATERIAL, self.text("reason"))


class ScheduleForm(ServiceForm):
    expected_version = version_field()


class RetireForm(ServiceForm):
    reason = reason_field(_("Why is it dropped?"), _("The record keeps it."))
    expected_version = version_field(required=False)


def initial_of(wording: Wording, moment: str, version: int) -> dict[str, Any]:
    """Return the form's first values."""
    return {
        "wording": wording.text,
        "effective_from": moment,
        "weight": MATERIAL if wording.is_material else MINOR,
        "reason": wording.reason,
        "expected_version": version,
    }
