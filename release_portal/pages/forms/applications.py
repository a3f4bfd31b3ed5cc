"""The forms of applicants: apply, answer, withdraw."""

from __future__ import annotations

from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.application_rules import Answers
from release_portal.access.purposes import PURPOSES
from release_portal.core.errors import Incomplete, InvalidInput, PortalError
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.words import FUNCTIONS

FIELDS = ("purpose_code", "purpose", "affiliation", "intended_use", "functions", "requested_end")


def day_of(written: str, field: str) -> date | None:
    """Return the day that was typed; raises InvalidInput at the field when it is none."""
    if not written.strip():
        return None
    try:
        return date.fromisoformat(written.strip())
    except ValueError as error:
        change = "Write it like 2026-11-30."
        raise InvalidInput(f"{written.strip()[:40]!r} is no date.", field=field, change=change) from error


class ApplyForm(ServiceForm):
    purpose_code = forms.ChoiceField(
        label=_("Purpose"), help_text=_("The one that comes closest. Your use is compared with it later.")
    )
    purpose = forms.CharField(
        label=_("What do you want to find out?"),
        help_text=_("The question, the method, and what this size adds. Reviewers judge by this answer first."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    affiliation = forms.CharField(
        label=_("Where do you work?"),
        help_text=_("Institution and group, with a public page that names you where there is one. Or: independent."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )
    intended_use = forms.CharField(
        label=_("What happens to the outputs?"),
        help_text=_("Who sees them, how they are kept, what is published, and who approved work with people."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    functions = forms.MultipleChoiceField(
        label=_("What do you need?"),
        help_text=_("Tick only what the work needs."),
        widget=forms.CheckboxSelectMultiple,
    )
    requested_end = forms.CharField(
        label=_("Until which day?"),
        help_text=_("Year-month-day; at most 366 days from now. It can be renewed."),
        widget=forms.DateInput(attrs={"type": "date"}),
    )
    agreement = forms.BooleanField(label=_("I have read the research access agreement and accept it"))
    agreement_hash = forms.CharField(label=_("Agreement"), widget=forms.HiddenInput)
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)
    renews = forms.CharField(label=_("Renewal"), widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, functions: tuple[str, ...], keep: str = "", **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        purposes = [("", _("Choose a purpose")), *PURPOSES.items()]
        self.fields["purpose_code"].choices = purposes  # type: ignore[attr-defined]
        offered = [(name, FUNCTIONS[name]) for name in functions]
        self.fields["functions"].choices = offered  # type: ignore[attr-defined]
        for name in ("purpose", "intended_use"):
            self.fields[name].widget.attrs["data-keep"] = f"{keep}:{name}"

    @property
    def questions(self) -> list[forms.BoundField]:
        """The fields that the applicant answers, in order."""
        return [self[name] for name in FIELDS]

    def answers(self) -> Answers:
        """Return what was answered."""
        return Answers(
            purpose_code=self.text("purpose_code"),
            purpose=self.text("purpose").strip(),
            affiliation=self.text("affiliation").strip(),
            intended_use=self.text("intended_use").strip(),
            functions=tuple(self.texts("functions")),
            requested_end=day_of(self.text("requested_end"), "requested_end"),
        )

    def accepted(self) -> str:
        """Return the hash of the agreement that was shown and accepted; empty when it was not accepted."""
        return self.text("agreement_hash") if self.ticked("agreement") else ""

    def refuse(self, error: PortalError, **fresh: Any) -> None:
        """Show each thing that is missing at its own field."""
        if not isinstance(error, Incomplete):
            super().refuse(error, **fresh)
            return
        self.refresh(**fresh)
        for field, reason in error.problems:
            self.add_error(field, reason)


def initial_of(answers: Answers) -> dict[str, Any]:
    """Return the form's first values from earlier answers."""
    end = answers.requested_end
    values = {name: getattr(answers, name) for name in FIELDS}
    return values | {"functions": list(answers.functions), "requested_end": end.isoformat() if end else ""}


class AnswerForm(ServiceForm):
    answer = forms.CharField(
        label=_("Your answer"),
        help_text=_("The reviewers read it. The clock of the decision goes on when you send it."),
        widget=forms.Textarea(attrs={"rows": 6}),
    )
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)


class WithdrawForm(ServiceForm):
    expected_version = forms.CharField(label=_("Version"), widget=forms.HiddenInput)
