"""The forms of applicants: apply, withdraw."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from release_portal.access.application_rules import REVIEWERS, Answers
from release_portal.access.programmes.form_rules import field_of
from release_portal.access.programmes.programme_rules import (
    ADMITTED,
    CARE,
    NOT_ADMITTED,
    REQUIRED,
    FormQuestion,
    Programme,
)
from release_portal.access.purposes import PURPOSES
from release_portal.core.errors import InvalidInput
from release_portal.pages.forms.base import ManyFieldsForm, ServiceForm, version_field
from release_portal.pages.forms.programme_questions import fields_of, first_values, hint, sent_values
from release_portal.pages.words import FUNCTIONS

FIELDS = ("purpose_code", "purpose", "affiliation", "intended_use", "functions", "requested_end")
SUMMARY = ("summary", "summary_withheld")


def day_of(written: str, field: str) -> date | None:
    """Return the day that was typed; raises InvalidInput at the field when it is none."""
    if not written.strip():
        return None
    try:
        return date.fromisoformat(written.strip())
    except ValueError as error:
        change = "Write it like 2026-11-30."
        raise InvalidInput(f"{written.strip()[:40]!r} is no date.", field=field, change=change) from error


class ApplyForm(ManyFieldsForm):
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
    summary = forms.CharField(
        label=_("In plain words"),
        help_text=_("What you study and why, for somebody who does not work in your field. Published with the grant."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    summary_withheld = forms.CharField(
        label=_("If this must not be published: why not?"),
        help_text=_("An embargo, say, or a subject that draws attacks. The reviewers read it."),
        required=False,
    )
    agreement = forms.BooleanField(label=_("I have read the research access agreement and accept it"))
    agreement_hash = forms.CharField(label=_("Agreement"), widget=forms.HiddenInput)
    expected_version = version_field()
    renews = forms.CharField(label=_("Renewal"), widget=forms.HiddenInput, required=False)

    def __init__(
        self,
        *args: Any,
        functions: tuple[str, ...],
        programme: Programme,
        saved: Mapping[str, str] | None = None,
        keep: str = "",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.programme = programme
        purposes = [("", _("Choose a purpose")), *_purposes(programme)]
        self.set_choices("purpose_code", purposes)
        self.fields["requested_end"].help_text = _(
            "Year-month-day; at most %(days)s days from now. It can be renewed."
        ) % {"days": programme.longest_days}
        self.fields["summary"].required = programme.summary == REQUIRED
        for name in (*FIELDS, "summary"):
            self.fields[name].help_text = hint(self.fields[name].help_text, REVIEWERS)
        purpose = self.text("purpose_code") if self.is_bound else self.initial.get("purpose_code", "")
        self.fields |= fields_of(programme, purpose, keep=keep)
        self._show_saved(saved or {})
        offered = [(name, FUNCTIONS[name]) for name in functions]
        self.set_choices("functions", offered)
        for name in ("purpose", "intended_use", "summary"):
            self.fields[name].widget.attrs["data-keep"] = f"{keep}:{name}"

    @property
    def questions(self) -> list[forms.BoundField]:
        """The fields that the applicant answers, in order."""
        return [self[name] for name in FIELDS]

    @property
    def own_questions(self) -> list[forms.BoundField]:
        """The fields of the programme's own questions, in the order of its file."""
        return [self[field_of(one.key)] for one in self._asked()]

    @property
    def asked_keys(self) -> str:
        """The keys of these questions, by which the answer knows what the page showed."""
        return " ".join(one.key for one in self._asked())

    @property
    def in_plain_words(self) -> list[forms.BoundField]:
        """The fields of the summary."""
        return [self[name] for name in SUMMARY]

    @property
    def shows_others(self) -> bool:
        """Whether what was sent comes from a page that showed other questions than are asked now."""
        return self.text("asked") != self.asked_keys

    def _show_saved(self, saved: Mapping[str, str]) -> None:
        """Show what the draft holds for questions that the page which sent this did not show."""
        shown = set(self.text("asked").split())
        fresh = {field_of(key): value for key, value in saved.items() if key not in shown}
        if self.is_bound and fresh:
            self.refresh(**fresh)

    def _asked(self) -> list[FormQuestion]:
        return [one for one in self.programme.questions if field_of(one.key) in self.fields]

    def answers(self) -> Answers:
        """Return what was answered."""
        return Answers(
            purpose_code=self.text("purpose_code"),
            purpose=self.text("purpose").strip(),
            affiliation=self.text("affiliation").strip(),
            intended_use=self.text("intended_use").strip(),
            functions=tuple(self.texts("functions")),
            requested_end=day_of(self.text("requested_end"), "requested_end"),
            summary=self.text("summary").strip(),
            summary_withheld=self.text("summary_withheld").strip(),
            more=sent_values(self.programme, self.text("asked").split(), self.text),
        )

    def said(self) -> Answers:
        """Return what the checks look at: purpose, affiliation, and the programme's own questions."""
        if not self.is_bound:
            more = {one.key: str(self.initial.get(field_of(one.key), "")) for one in self.programme.questions}
            return Answers(self.initial.get("purpose_code", ""), affiliation=self.initial["affiliation"], more=more)
        more = sent_values(self.programme, self.text("asked").split(), self.text)
        return Answers(self.text("purpose_code"), affiliation=self.text("affiliation"), more=more)

    def accepted(self) -> str:
        """Return the hash of the agreement that was shown and accepted; empty when it was not accepted."""
        return self.text("agreement_hash") if self.ticked("agreement") else ""


def _purposes(programme: Programme) -> list[tuple[str, str]]:
    notes = {CARE: _("asks for special care"), NOT_ADMITTED: _("not admitted by this programme")}
    return [
        (code, label if programme.purposes[code] == ADMITTED else f"{label} ({notes[programme.purposes[code]]})")
        for code, label in PURPOSES.items()
    ]


def initial_of(answers: Answers) -> dict[str, Any]:
    """Return the form's first values from earlier answers."""
    end = answers.requested_end
    values = {name: getattr(answers, name) for name in (*FIELDS, *SUMMARY)} | first_values(answers)
    return values | {"functions": list(answers.functions), "requested_end": end.isoformat() if end else ""}


class WithdrawForm(ServiceForm):
    expected_version = version_field()
