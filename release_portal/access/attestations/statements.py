"""What exactly is confirmed: named sentences, the text that they stand on, and its digest (pure)."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from release_portal.access.attestations.rules import FIRST_YEAR, LONGEST_WORDS, REFEREE, RELATIONS


@dataclass(frozen=True)
class Asked:
    """What an application says, as far as others vouch for it; its end and quota are none of theirs."""

    applicant: str
    size: str
    affiliation: str
    purpose_label: str
    purpose: str
    intended_use: str
    functions: tuple[str, ...]
    domain: str = ""


@dataclass(frozen=True)
class Sentence:
    """One statement that is confirmed by name."""

    code: str
    text: str


def sentences(kind: str, asked: Asked) -> tuple[Sentence, ...]:
    """Return the sentences that somebody of this kind confirms, each by itself."""
    if kind == REFEREE:
        return (
            Sentence("knows", f"I know {asked.applicant} and their work."),
            Sentence("affiliation", f"As far as I know they work here: {asked.affiliation}."),
            Sentence("purpose", "The work described here is work that they do or can do."),
        )
    return (
        Sentence("office", f"I may sign for the institution behind {asked.domain}."),
        Sentence("member", f"{asked.applicant} works or studies there."),
        Sentence("answers", "The institution knows of the work described here and answers for keeping the agreement."),
    )


def statement(kind: str, asked: Asked) -> str:
    """Return the whole text that is confirmed, sentences and the work they speak of."""
    lines = [f"{one.code}: {one.text}" for one in sentences(kind, asked)]
    work = [
        f"size: {asked.size}",
        f"functions: {', '.join(sorted(set(asked.functions)))}",
        f"purpose: {asked.purpose_label}",
        f"question: {asked.purpose}",
        f"outputs: {asked.intended_use}",
    ]
    return "\n".join([kind, *lines, *work])


def digest_of(text: str) -> str:
    """Return the digest by which a confirmation names its text."""
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Reply:
    """What somebody answers who confirms.

    Args:
        relation: how they stand to the applicant, or which office they hold.
        since: the year since when.
        confirmed: codes of the sentences that they ticked.
        words: what they add, for the reviewers alone.
    """

    relation: str
    since: str
    confirmed: tuple[str, ...]
    words: str = ""


def reply_problems(kind: str, asked: Asked, reply: Reply, at: datetime) -> list[tuple[str, str]]:
    """Return what a reply lacks, as pairs of field and sentence."""
    problems = []
    if reply.relation not in RELATIONS[kind]:
        problems.append(("relation", "Choose one from the list."))
    year = reply.since.strip()
    if not (year.isascii() and year.isdecimal() and len(year) == 4 and FIRST_YEAR <= int(year) <= at.year):
        problems.append(("since", f"Write a year from {FIRST_YEAR} to {at.year}."))
    if _unticked(sentences(kind, asked), reply.confirmed):
        problems.append(("confirmed", "Tick every sentence. If one is not true, decline; you may say which."))
    if problem := words_problem(reply.words):
        problems.append(("words", problem))
    return problems


def _unticked(asked: Iterable[Sentence], confirmed: Iterable[str]) -> bool:
    return bool({one.code for one in asked} - set(confirmed))


def words_problem(words: str) -> str:
    """Return what is wrong with words to the reviewers; none at all is fine."""
    is_text = len(words) <= LONGEST_WORDS and "\x00" not in words
    return "" if is_text else f"Write text of at most {LONGEST_WORDS:,} characters."
