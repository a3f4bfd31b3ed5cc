"""The fields of an application that can be asked about, by key: read as text, and written again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from release_portal.access import application_rules as rules
from release_portal.access.application_rules import Problem
from release_portal.access.models import Application
from release_portal.access.programmes.form_rules import field_of, unreadable_answers, unreadable_summary
from release_portal.access.programmes.programme_rules import FILE
from release_portal.access.programmes.services import programme_facing
from release_portal.access.questions.rules import Field, content_digest
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput


@dataclass(frozen=True)
class Part:
    """One part of the form.

    Args:
        read: the part's fields as text, in the order of the form.
        write: puts new values in, unsaved; raises InvalidInput at the field.
    """

    read: Callable[[Application], dict[str, Field]]
    write: Callable[[Application, Mapping[str, Any]], None]


LABELS = {
    "purpose_code": "Purpose",
    "purpose": "The question",
    "affiliation": "Affiliation",
    "intended_use": "The outputs",
    "functions": "Functions",
    "requested_end": "Last day",
}


def fields_of(application: Application) -> dict[str, Field]:
    """Return every field of the application."""
    return {key: field for part in PARTS for key, field in part.read(application).items()}


def write_fields(application: Application, values: Mapping[str, Any]) -> None:
    """Put new values into fields of the application, unsaved.

    Raises:
        InvalidInput: a value cannot be kept, named at its field.
    """
    for part in PARTS:
        mine = {key: values[key] for key in part.read(application) if key in values}
        if mine:
            part.write(application, mine)


def content_of(application: Application) -> str:
    """Return the digest of all that the applicant said: the fields, and the answers to questions."""
    replies = [(one.field, one.answer) for one in application.questions.all() if one.answered_at is not None]
    return content_digest(fields_of(application).values(), replies)


def readable_fields(application: Application, actor: Actor) -> frozenset[str]:
    """Return the fields that the actor reads: the applicant all, who reviews those that name one of their roles."""
    is_own = actor.is_person and actor.id == str(application.applicant_id)
    fields = fields_of(application).items()
    return frozenset(key for key, one in fields if is_own or not one.readers or actor.has_role(*one.readers))


def _own(application: Application) -> dict[str, Field]:
    answers = application.answers()
    return {key: Field(key, label, _text(getattr(answers, key))) for key, label in LABELS.items()}


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(sorted(value))
    return "" if value is None else str(value)


def _write_own(application: Application, values: Mapping[str, Any]) -> None:
    given: dict[str, Any] = dict(values)
    if "functions" in given:
        given["functions"] = tuple(sorted(set(given["functions"])))
    _refuse(rules.unreadable(replace(application.answers(), **given)))
    for key, value in given.items():
        setattr(application, key, list(value) if key == "functions" else value)


# --- The summary, and the programme's own questions -----------------------------------------------------------------


def _summary(application: Application) -> dict[str, Field]:
    return {
        "summary": Field("summary", "In plain words", application.summary),
        "summary_withheld": Field("summary_withheld", "Why the summary is kept back", application.summary_withheld),
    }


def _write_summary(application: Application, values: Mapping[str, Any]) -> None:
    _refuse(unreadable_summary(replace(application.answers(), **values)))
    for key, value in values.items():
        setattr(application, key, value.strip())


def _programme(application: Application) -> dict[str, Field]:
    asked = programme_facing(application).asked_of(application.purpose_code)
    return {
        field_of(one.key): Field(field_of(one.key), one.label, application.form_answers.get(one.key, ""), one.readers)
        for one in asked
        if one.kind != FILE
    }


def _write_programme(application: Application, values: Mapping[str, Any]) -> None:
    asked = programme_facing(application).asked_of(application.purpose_code)
    more = {one.key: values[field_of(one.key)].strip() for one in asked if field_of(one.key) in values}
    _refuse(unreadable_answers(programme_facing(application), more))
    kept = {**application.form_answers, **more}
    application.form_answers = {key: value for key, value in kept.items() if value}


def _refuse(problems: Iterable[Problem]) -> None:
    for problem in problems:
        raise InvalidInput(problem.reason, field=problem.field)


# Each part of an application that can be asked about adds its line here.
PARTS: tuple[Part, ...] = (Part(_own, _write_own), Part(_summary, _write_summary), Part(_programme, _write_programme))
