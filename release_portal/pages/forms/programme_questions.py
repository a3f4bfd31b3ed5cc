"""The form of a programme as fields: each says why it is asked, and who reads the answer."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from release_portal.access.application_rules import Answers
from release_portal.access.programmes.countries import COUNTRIES
from release_portal.access.programmes.form_rules import field_of
from release_portal.access.programmes.programme_rules import (
    CHECKBOX,
    CHOICE,
    COUNTRY,
    DATE,
    FILE,
    LONG_TEXT,
    TEXT,
    TICKED,
    FormQuestion,
    Programme,
)

ROLE_WORDS = {
    "access_lead": lazy("access leads"),
    "partner_lead": lazy("partner leads"),
    "safety_reviewer": lazy("safety reviewers"),
}


def hint(why: object, readers: Iterable[str]) -> SafeString:
    """Return what stands under a question: why it is asked, and who reads the answer."""
    names = ", ".join(str(ROLE_WORDS[role]) for role in readers)
    return format_html('{} <span class="note">{} {}.</span>', why, _("Read by:"), names)


def fields_of(programme: Programme, purpose_code: str, *, keep: str) -> dict[str, forms.Field]:
    """Return the fields of the questions that are asked of somebody with this purpose; files have their own place."""
    asked = [one for one in programme.asked_of(purpose_code) if one.kind != FILE]
    return {field_of(one.key): _field(one, keep) for one in asked}


def _field(question: FormQuestion, keep: str) -> forms.Field:
    given = {
        "label": question.label,
        "help_text": hint(question.why, question.readers),
        "required": question.required,
    }
    return _MAKERS[question.kind](question, {"data-keep": f"{keep}:{question.key}", "rows": 4}, given)


def _choice(choices: Iterable[tuple[str, str]], given: dict[str, Any], **attributes: str) -> forms.Field:
    offered = [("", _("Choose")), *choices]
    return forms.ChoiceField(choices=offered, widget=forms.Select(attrs=attributes), **given)


_MAKERS: dict[str, Callable[[FormQuestion, dict[str, Any], dict[str, Any]], forms.Field]] = {
    TEXT: lambda one, area, given: forms.CharField(widget=forms.TextInput, **given),
    LONG_TEXT: lambda one, area, given: forms.CharField(widget=forms.Textarea(attrs=area), **given),
    CHOICE: lambda one, area, given: _choice(one.choices, given),
    COUNTRY: lambda one, area, given: _choice(COUNTRIES.items(), given, autocomplete="country"),
    DATE: lambda one, area, given: forms.CharField(widget=forms.DateInput(attrs={"type": "date"}), **given),
    CHECKBOX: lambda one, area, given: forms.BooleanField(**given),
}


def first_values(answers: Answers) -> dict[str, Any]:
    """Return the first values of the fields from earlier answers."""
    return {field_of(key): value for key, value in answers.more.items()}


def sent_values(programme: Programme, asked: Iterable[str], text: Callable[[str], str]) -> dict[str, str]:
    """Return what was sent for the questions that the form showed; an unticked box sends nothing, and means no.

    Args:
        programme: whose form it is now.
        asked: keys of the questions that the page showed.
        text: reads a field of what was sent.
    """
    found = {}
    for key in asked:
        question = programme.question(key)
        if question is not None and question.kind != FILE:
            value = text(field_of(key)).strip()
            found[key] = (TICKED if value else "") if question.kind == CHECKBOX else value
    return found
