"""The forms of those who review: approve, refuse, claim, advise."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.conditions import Conditions
from release_portal.access.models import Application
from release_portal.access.people.teams import Team
from release_portal.access.programmes.applying import offered
from release_portal.access.refusals import REASONS
from release_portal.pages.forms.applications import day_of
from release_portal.pages.forms.base import ServiceForm, version_field
from release_portal.pages.forms.grant_duties import add_term_fields, terms_of
from release_portal.pages.forms.grants import limits_typed, whole_number
from release_portal.pages.forms.sampler import sampler_fields, sampler_of
from release_portal.pages.words import FUNCTIONS


def _number(label: Any) -> forms.CharField:
    return forms.CharField(label=label, widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}))


USUAL_FIELDS = ("functions", "last_day", "tokens_per_day", "requests_per_minute", "concurrent", "seats", "note")


class ApproveForm(ServiceForm):
    functions = forms.MultipleChoiceField(
        label=_("Functions"),
        help_text=_("All or some of what was asked for."),
        widget=forms.CheckboxSelectMultiple,
    )
    last_day = forms.CharField(
        label=_("Last day"),
        help_text=_("Year-month-day; not later than what was asked for."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    tokens_per_day = _number(_("Tokens a day"))
    requests_per_minute = _number(_("Requests a minute"))
    concurrent = _number(_("Requests at once"))
    note = forms.CharField(label=_("Note to the applicant"), required=False, widget=forms.Textarea(attrs={"rows": 3}))
    expected_version = version_field()

    def __init__(self, *args: Any, application: Application, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields |= sampler_fields()
        self.order_fields([name for name in self.fields if name not in ("note", "expected_version")])
        offered = [(name, FUNCTIONS[name]) for name in application.functions]
        self.set_choices("functions", offered)
        self._wish = Team(application).wish()
        if self._wish is not None:
            self.fields["seats"] = _number(_("Seats"))
            self.fields["seats"].help_text = _("As many as were asked for, or fewer; the lead's is one of them.")
        add_term_fields(self)
        self.order_fields([name for name in self.fields if name not in ("note", "expected_version")])

    @property
    def usual(self) -> list[forms.BoundField]:
        """What is filled in for nearly every approval."""
        return [self[name] for name in USUAL_FIELDS if name in self.fields]

    @property
    def further(self) -> list[forms.BoundField]:
        """Bounds of the sampler and extra terms: most approvals have none."""
        return [one for one in self.visible_fields() if one.name not in USUAL_FIELDS]

    @property
    def is_open(self) -> bool:
        """Whether something stands among the further conditions already."""
        return any(bound.errors or bound.value() for bound in self.further)

    def conditions(self) -> Conditions:
        """Return what the decider gives."""
        limits = limits_typed(self)
        day = day_of(self.text("last_day"), "last_day")
        seats = whole_number(self, "seats") if self._wish else None
        return Conditions(tuple(self.texts("functions")), day, limits, terms_of(self), sampler_of(self), seats)


def usual_conditions(application: Application, at: datetime) -> dict[str, Any]:
    """Return what the approval form offers first: what was asked for, within the programme's usual length and quota."""
    first, wish = offered(application, at), Team(application).wish()
    return {
        "functions": list(first.functions),
        "last_day": first.last_day.isoformat() if first.last_day else "",
        "tokens_per_day": first.limits.tokens_per_day,
        "requests_per_minute": first.limits.requests_per_minute,
        "concurrent": first.limits.concurrent,
        "seats": wish.seats if wish else "",
        "expected_version": application.version,
    }


class RefuseForm(ServiceForm):
    code = forms.ChoiceField(
        label=_("Reason"), help_text=_("The applicant reads it together with what would change it.")
    )
    explanation = forms.CharField(
        label=_("In your own words"),
        help_text=_("What exactly, so that the applicant can do better."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    expected_version = version_field()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choices = [("", _("Choose a reason")), *((reason.code, reason.label) for reason in REASONS.values())]
        self.set_choices("code", choices)


class ClaimForm(ServiceForm):
    reason = forms.CharField(
        label=_("Reason"),
        required=False,
        help_text=_("Needed only while somebody else is looking at it; it is kept."),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )


class AdviseForm(ServiceForm):
    advice = forms.CharField(
        label=_("Advice to those who decide"),
        help_text=_("It decides nothing and counts for nothing. Reviewers read it, the applicant does not."),
        widget=forms.Textarea(attrs={"rows": 3}),
    )
