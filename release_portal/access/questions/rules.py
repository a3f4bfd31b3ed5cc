"""Questions at fields: what may be asked, what must be answered, and what may be changed meanwhile (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.access.application_rules import LONGEST_TEXT, Problem

# The key of a question about the application as a whole; nothing is changed on such a question.
WHOLE = ""


@dataclass(frozen=True)
class Field:
    """One answer of an application.

    Args:
        key: how forms and the API name it.
        label: how people name it.
        text: the answer as text; equal texts are equal answers.
        readers: the roles that read it; empty: everybody who reviews.
    """

    key: str
    label: str
    text: str
    readers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Change:
    """What an applicant changed at one field."""

    key: str
    label: str
    old: str
    new: str


def asked_of(questions: Mapping[str, str]) -> dict[str, str]:
    """Return the questions that were really written, without blanks around them."""
    return {key: text.strip() for key, text in questions.items() if text.strip()}


def question_problems(questions: Mapping[str, str], fields: Iterable[str]) -> list[Problem]:
    """Return what is wrong with what a reviewer asks: nothing, too much, or about a field that is not there."""
    known = {WHOLE, *fields}
    problems = [
        Problem(asking(key), f"The application has no field {key[:40]!r}.") for key in sorted(questions.keys() - known)
    ]
    asked = asked_of(questions)
    if not asked:
        problems.append(Problem(asking(WHOLE), "Write what you need to know."))
    for key, text in asked.items():
        if len(text) > LONGEST_TEXT:
            problems.append(Problem(asking(key), f"At most {LONGEST_TEXT:,} characters."))
        if "\x00" in text:
            problems.append(Problem(asking(key), "It holds a character that is no text."))
    return problems


def asking(key: str) -> str:
    """Return how a form names the question about a field."""
    return f"question_{key}" if key else "question"


def answering(key: str) -> str:
    """Return how a form names the answer about a field; a programme's own questions are called `answer_...`."""
    return f"reply_{key}" if key else "answer"


def replies_to(asked: Iterable[str], replies: Mapping[str, str]) -> dict[str, str]:
    """Return for each question what was answered; where only one was asked, an answer without a name is its answer."""
    keys = list(asked)
    if len(keys) == 1 and keys[0] not in replies:
        return {keys[0]: replies.get(WHOLE, "").strip()}
    return {key: replies.get(key, "").strip() for key in keys}


def reply_problems(asked: Iterable[str], replies: Mapping[str, str], changed: Iterable[str]) -> list[Problem]:
    """Return which questions lack an answer; a changed field answers the question about it."""
    keys, changes = list(asked), set(changed)
    problems = [Problem(answering(key), "Nobody asked about this.") for key in sorted(replies.keys() - {*keys, WHOLE})]
    for key, text in replies_to(keys, replies).items():
        if len(text) > LONGEST_TEXT or "\x00" in text or not (text or key in changes):
            where = answering(key) if len(keys) > 1 else answering(WHOLE)
            also = ", or change what was asked about" if key else ""
            problems.append(Problem(where, f"Write an answer of 1 to {LONGEST_TEXT:,} characters{also}."))
    return problems


def change_problems(asked: Iterable[str], changes: Iterable[str]) -> list[Problem]:
    """Return which changes nobody asked for: exactly the fields that were asked about may change."""
    allowed = set(asked) - {WHOLE}
    return [Problem(key, "Only what was asked about can be changed now.") for key in sorted(set(changes) - allowed)]


def changes_between(before: Mapping[str, Field], after: Mapping[str, Field]) -> list[Change]:
    """Return what differs, in the order of the form; a field that was not there before was empty."""
    old = {key: before[key].text if key in before else "" for key in after}
    return [Change(key, one.label, old[key], one.text) for key, one in after.items() if old[key] != one.text]


def content_digest(fields: Iterable[Field], replies: Iterable[tuple[str, str]]) -> str:
    """Return the digest of everything that an applicant said; reviews are given on exactly that.

    An empty field says nothing, so a part of the form that is added later changes no digest.
    """
    said = {"fields": {one.key: one.text for one in fields if one.text}, "replies": [list(pair) for pair in replies]}
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def paused_time(questions: Iterable[tuple[datetime, datetime | None]], at: datetime) -> timedelta:
    """Return for how long the clock rested in all, each rest once; a question without an answer rests until now."""
    total, until = timedelta(), None
    for asked_at, answered_at in sorted(questions, key=lambda pair: pair[0]):
        begin = asked_at if until is None else max(asked_at, until)
        until = max(answered_at or at, begin)
        total += until - begin
    return total
