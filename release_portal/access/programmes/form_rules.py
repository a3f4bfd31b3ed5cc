"""The answers to a programme's own questions: what can be kept, what is missing, what another version keeps (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

from release_portal.access.application_rules import LONGEST_LINE, LONGEST_TEXT, Answers, Problem, unfit_texts
from release_portal.access.grant_rules import LONGEST_DAYS
from release_portal.access.programmes.countries import COUNTRIES
from release_portal.access.programmes.programme_rules import (
    CHECKBOX,
    CHOICE,
    COUNTRY,
    DATE,
    FILE,
    REQUIRED,
    TEXTS,
    TICKED,
    FormQuestion,
    Programme,
)

SHORTEST_SUMMARY = 40


def field_of(key: str) -> str:
    """Return the name of the form's field of a question, by which errors and links find it."""
    return f"answer_{key}"


def unreadable_answers(programme: Programme, more: Mapping[str, str]) -> list[Problem]:
    """Return what cannot even be kept in a draft: unknown questions, unknown choices, texts that are too long."""
    problems = []
    for key, value in more.items():
        question = programme.question(key)
        sentence = _unreadable(question, value) if question else "The form of this programme has no such question."
        if sentence:
            problems.append(Problem(field_of(key), sentence))
    return problems


def _unreadable(question: FormQuestion, value: str) -> str:
    if not value:
        return ""
    if "\x00" in value:
        return "It holds a character that is no text."
    if question.kind in TEXTS:
        is_long = len(value) > question.longest
        return f"It has {len(value):,} characters; at most {question.longest:,} are kept." if is_long else ""
    return "" if _is_known(question, value) else _UNKNOWN[question.kind]


_UNKNOWN = {
    CHOICE: "Choose an answer from the list.",
    COUNTRY: "Choose a country from the list.",
    DATE: "Write the day like 2026-11-30.",
    CHECKBOX: "Tick the box, or leave it.",
    FILE: "A file is attached on its own, not written into the form.",
}


def _is_known(question: FormQuestion, value: str) -> bool:
    if question.kind == CHOICE:
        return value in dict(question.choices)
    if question.kind == COUNTRY:
        return value in COUNTRIES
    if question.kind == DATE:
        return is_day(value)
    return question.kind == CHECKBOX and value == TICKED


def is_day(value: str) -> bool:
    """Return whether a text names a day like 2026-11-30."""
    try:
        return date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def missing_answers(programme: Programme, answers: Answers, files: Iterable[str] = ()) -> list[Problem]:
    """Return which required answers are missing, in the order of the form.

    Args:
        programme: the version to which the application is bound.
        answers: what it says.
        files: keys of the questions for which a file is attached.
    """
    attached = frozenset(files)
    return [
        Problem(field_of(one.key), _missing(one))
        for one in programme.asked_of(answers.purpose_code)
        if one.required and not (one.key in attached if one.kind == FILE else answers.more.get(one.key, "").strip())
    ]


def _missing(question: FormQuestion) -> str:
    if question.kind == CHECKBOX:
        return f"Confirm: {question.label}"
    return f"Attach a file: {question.label}" if question.kind == FILE else f"Answer: {question.label}"


def summary_problems(programme: Programme, answers: Answers) -> list[Problem]:
    """Return what is wrong with the summary: some words for everybody, or a reason why they are kept back."""
    summary = answers.summary.strip()
    if answers.summary_withheld.strip() and not summary:
        return [Problem("summary", "Write the summary for the reviewers; it is not published while you keep it back.")]
    if not summary:
        sentence = "Say in plain words what you study and why."
        return [Problem("summary", sentence)] if programme.summary == REQUIRED else []
    short = len(summary) < SHORTEST_SUMMARY
    return [Problem("summary", f"Write at least {SHORTEST_SUMMARY} characters.")] if short else []


def unreadable_summary(answers: Answers) -> list[Problem]:
    """Return what cannot be kept of the summary."""
    return unfit_texts(answers, {"summary": LONGEST_TEXT, "summary_withheld": LONGEST_LINE})


def end_problems(programme: Programme, last_day: date | None, today: date, *, field: str) -> list[Problem]:
    """Return whether a last day lies beyond the longest end of the programme; beyond the house's, the house says so."""
    latest = latest_day(programme, today)
    if last_day is None or last_day <= latest or last_day > latest_day(programme, today, LONGEST_DAYS):
        return []
    sentence = f"{programme.title} lasts at most {programme.longest_days} days: up to {latest:%d %B %Y}."
    return [Problem(field, f"{sentence} It can be renewed.")]


def latest_day(programme: Programme, today: date, days: int | None = None) -> date:
    """Return the last day of so many days from today; without a number, of the most that the programme allows."""
    return today + timedelta(days=(days or programme.longest_days) - 1)


# --- Another version of the form -------------------------------------------------------------------------------------


def carried(programme: Programme, more: Mapping[str, str]) -> dict[str, str]:
    """Return the answers that this version of the form can keep: its questions, answered in a way that it reads."""
    kept = {}
    for key, value in more.items():
        question = programme.question(key)
        if question is not None and value and not _unreadable(question, value):
            kept[key] = value
    return kept


def new_questions(old: Programme, new: Programme, answers: Answers) -> list[FormQuestion]:
    """Return what a newer version asks that the older did not, or asked in a way whose answer cannot be kept."""
    kept = carried(new, answers.more)
    before = {one.key for one in old.asked_of(answers.purpose_code)}
    return [
        one
        for one in new.asked_of(answers.purpose_code)
        if one.key not in before or (answers.more.get(one.key) and one.key not in kept)
    ]


def sent_answers(programme: Programme, answers: Answers) -> dict[str, str]:
    """Return the answers that are handed in: to the questions that are asked for this purpose, and no others."""
    asked = {one.key for one in programme.asked_of(answers.purpose_code)}
    return {key: value for key, value in carried(programme, answers.more).items() if key in asked}


# --- Reading ---------------------------------------------------------------------------------------------------------


def shown_answer(question: FormQuestion, value: str) -> str:
    """Return an answer as people read it."""
    if question.kind == CHOICE:
        return dict(question.choices).get(value, value)
    if question.kind == COUNTRY:
        return COUNTRIES.get(value, value)
    if question.kind == CHECKBOX:
        return "confirmed" if value == TICKED else ""
    return value


def readable_by(question: FormQuestion, roles: Iterable[str]) -> bool:
    """Return whether somebody with these roles reads the answer; the form said so when it was asked."""
    return bool(set(question.readers) & set(roles))
