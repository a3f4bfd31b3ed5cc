"""The forms of questions at fields: what a reviewer asks, and what the applicant answers and changes."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from release_portal.access.application_rules import functions_open
from release_portal.access.models import Application
from release_portal.access.programmes.programme_rules import TICKED
from release_portal.access.programmes.services import programme_facing
from release_portal.access.purposes import PURPOSES
from release_portal.access.questions.fields import fields_of
from release_portal.access.questions.rules import answering, asking
from release_portal.access.questions.services import open_questions
from release_portal.pages.forms.applications import ApplyForm, day_of, initial_of
from release_portal.pages.forms.base import ServiceForm, version_field
from release_portal.pages.forms.programme_questions import fields_of as fields_of_programme
from release_portal.pages.words import FUNCTIONS


class AskForm(ServiceForm):
    question = forms.CharField(
        label=lazy("Question"),
        help_text=lazy("The clock rests until it is answered. Without an answer for 30 days the application lapses."),
        widget=forms.Textarea(attrs={"rows": 4}),
        required=False,
    )
    expected_version = version_field()

    def __init__(self, *args: Any, application: Application, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.keys = list(fields_of(application))
        for key, field in fields_of(application).items():
            self.fields[asking(key)] = forms.CharField(
                label=_("About: %(field)s") % {"field": field.label},
                required=False,
                widget=forms.Textarea(attrs={"rows": 2}),
            )

    @property
    def at_fields(self) -> list[forms.BoundField]:
        """The questions about single fields."""
        return [self[asking(key)] for key in self.keys]

    @property
    def is_open(self) -> bool:
        """Whether something stands at a field already."""
        return any(bound.errors or bound.value() for bound in self.at_fields)

    def questions(self) -> dict[str, str]:
        """Return what was asked at fields."""
        return {key: self.text(asking(key)) for key in self.keys}


class AnswerForm(ServiceForm):
    """An answer for each open question, and beside it the field that may be changed."""

    expected_version = version_field()

    def __init__(self, *args: Any, application: Application, **kwargs: Any) -> None:
        kwargs["initial"] = initial_of(application.answers()) | kwargs.get("initial", {})
        super().__init__(*args, **kwargs)
        self.asked = open_questions(application)
        is_alone = len(self.asked) == 1
        for one in self.asked:
            name = answering("" if is_alone else one.field)
            self.fields[name] = _answer(one.label)
            if one.field:
                self.fields[one.field] = _input(one.field, one.label, application)

    @property
    def questions(self) -> list[dict[str, Any]]:
        """Each open question with its bound fields, in the order in which they were asked."""
        is_alone = len(self.asked) == 1
        return [
            {
                "question": one,
                "answer": self[answering("" if is_alone else one.field)],
                "change": self[one.field] if one.field else None,
            }
            for one in self.asked
        ]

    def replies(self) -> dict[str, str]:
        """Return what was answered, by the key of the field."""
        is_alone = len(self.asked) == 1
        return {one.field: self.text(answering("" if is_alone else one.field)) for one in self.asked}

    def changes(self) -> dict[str, Any]:
        """Return what stands in the fields that may be changed."""
        return {one.field: self._value(one.field) for one in self.asked if one.field}

    def _value(self, key: str) -> Any:
        if key == "functions":
            return tuple(self.texts(key))
        if isinstance(self.fields[key], forms.BooleanField):
            return TICKED if self.ticked(key) else ""
        return day_of(self.text(key), key) if key == "requested_end" else self.text(key).strip()


def _answer(label: str) -> forms.CharField:
    return forms.CharField(
        label=_("Your answer about: %(field)s") % {"field": label} if label else _("Your answer"),
        help_text=_("The reviewers read it. The clock of the decision goes on when you send it."),
        required=not label,
        widget=forms.Textarea(attrs={"rows": 4 if label else 6}),
    )


def _input(key: str, label: str, application: Application) -> forms.Field:
    """The input of the form in which the field was first answered, with a note that it may change now."""
    programme = programme_facing(application)
    own = fields_of_programme(programme, application.purpose_code, keep=f"answer:{application.pk}")
    field = own[key] if key in own else deepcopy(ApplyForm.base_fields[key])
    if key in _CHOICES:
        field.choices = _CHOICES[key](application)  # type: ignore[attr-defined]
    field.required = False
    field.label = _("Change it here: %(field)s") % {"field": label}
    field.help_text = _("You may change it now; what was there before stays on record beside it.")
    return field


_CHOICES: dict[str, Callable[[Application], list[tuple[str, Any]]]] = {
    "purpose_code": lambda _application: list(PURPOSES.items()),
    "functions": lambda one: [(name, FUNCTIONS[name]) for name in functions_open(one.size.standing.stage)],
}
