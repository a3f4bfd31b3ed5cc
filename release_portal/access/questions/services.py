"""Write questions at fields, and the answers with what was changed; the caller holds the lock and records the event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from release_portal.access.application_rules import Problem
from release_portal.access.completeness import missing_from
from release_portal.access.models import AnswerChange, Application, Question
from release_portal.access.programmes.applying import preview
from release_portal.access.programmes.services import programme_facing
from release_portal.access.questions import rules
from release_portal.access.questions.fields import fields_of, write_fields
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput


def write_questions(
    actor: Actor, application: Application, questions: Mapping[str, str], *, at: datetime
) -> list[Question]:
    """Write one question for each field that was asked about.

    Args:
        actor: who asks.
        application: locked.
        questions: text of the question by field key; an empty key asks about the whole.
        at: the time of asking.

    Raises:
        InvalidInput: nothing is asked, too much, or about a field that the application does not have.
    """
    fields = fields_of(application)
    for problem in rules.question_problems(questions, fields):
        raise InvalidInput(problem.reason, field=problem.field)
    return [
        Question.objects.create(
            application=application,
            field=key,
            label=fields[key].label if key else "",
            text=text,
            asked_by_id=actor.id,
            asked_by_name=actor.name,
            asked_at=at,
        )
        for key, text in rules.asked_of(questions).items()
    ]


def asked_text(questions: list[Question]) -> str:
    """Return the questions as one text for a notice."""
    return "\n\n".join(f"{one.label}: {one.text}" if one.label else one.text for one in questions)


def open_questions(application: Application) -> list[Question]:
    """Return what waits for an answer."""
    return [one for one in application.questions.all() if one.answered_at is None]


def write_replies(
    application: Application, replies: Mapping[str, str], changes: Mapping[str, Any], *, at: datetime
) -> tuple[list[Question], list[rules.Change]]:
    """Write answers and changes, and keep each change as old and new; the caller saves the application.

    Args:
        application: locked.
        replies: text of the answer by field key.
        changes: new values by field key.
        at: the time of answering.

    Raises:
        InvalidInput: a question lacks its answer, or something else than what was asked about is changed.
    """
    asked = list(application.questions.select_for_update().filter(answered_at=None))
    keys, before = [one.field for one in asked], fields_of(application)
    _refuse(rules.change_problems(keys, changes))
    lacked = {one.field for one in missing_from(application, at=at)}
    write_fields(application, changes)
    found = [one for one in rules.changes_between(before, fields_of(application)) if one.key in keys]
    _refuse(rules.reply_problems(keys, replies, [one.key for one in found]))
    _refuse([one for one in missing_from(application, at=at) if one.field in changes or one.field not in lacked])
    _refuse(_not_eligible(application, [one.key for one in found], at))
    texts = rules.replies_to(keys, replies)
    for question in asked:
        question.answer, question.answered_at = texts[question.field], at
        question.save(update_fields=["answer", "answered_at"])
    _keep(application, asked, found, at)
    return asked, found


# Rules of a programme that rest on a field which may have changed.
_RULES = {"purpose": "purpose_code", "affiliation_given": "affiliation"}


def _not_eligible(application: Application, changed: list[str], at: datetime) -> list[Problem]:
    """What the programme's rules say against a change; a rule that rests on nothing new was asked on sending."""
    programme, renews = programme_facing(application), application.renews_id or ""
    trace = preview(application.applicant, application.size, application.answers(), programme, at, renews=renews)
    return [Problem(_RULES[one.code], one.reason) for one in trace.failing if _RULES.get(one.code) in changed]


def _keep(application: Application, asked: list[Question], found: list[rules.Change], at: datetime) -> None:
    by_key = {one.field: one for one in asked}
    AnswerChange.objects.bulk_create(
        AnswerChange(
            application=application, question=by_key[one.key], field=one.key, label=one.label, old=one.old, new=one.new,
            at=at,
        )
        for one in found
    )  # fmt: skip


def _refuse(problems: list[Problem]) -> None:
    for problem in problems:
        raise InvalidInput(problem.reason, field=problem.field)
