"""Extra terms of one grant: modifiers with their parameters, what is wrong with them, and their digest (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from release_portal.access.modifiers import MODIFIERS

LONGEST_VALUE = 200
# How much a number may say.
MOST = {"months": 36, "days": 365}
# How long the applicant may think about extra terms before the approval lapses.
OFFER_LASTS = timedelta(days=30)


@dataclass(frozen=True, order=True)
class Term:
    """One modifier of a grant.

    Args:
        code: Q01 to Q15.
        value: its parameter as it is written; empty where it takes none.
    """

    code: str
    value: str = ""

    @property
    def sentence(self) -> str:
        """What the holder must do or must not do."""
        return MODIFIERS[self.code].says(self.value)


@dataclass(frozen=True)
class TermProblem:
    """What is wrong with a term."""

    code: str
    reason: str


def term_problems(terms: Iterable[Term], *, at: datetime) -> list[TermProblem]:
    """Return what is wrong with terms: an unknown code, a parameter that is missing, too many or none of its kind."""
    terms = list(terms)
    problems = [TermProblem(one.code, reason) for one in terms if (reason := _wrong(one, at.date()))]
    codes = [one.code for one in terms]
    problems += [TermProblem(code, f"{code} is named twice.") for code in sorted({*codes}) if codes.count(code) > 1]
    return problems


def _wrong(term: Term, today: date) -> str:
    if term.code not in MODIFIERS:
        return "There is no such term."
    kind = MODIFIERS[term.code].parameter
    if not kind:
        return f"{term.code} takes no value." if term.value else ""
    if kind in MOST:
        is_number = term.value.isascii() and term.value.isdecimal() and len(term.value) < 5
        is_fit = is_number and 1 <= int(term.value) <= MOST[kind]
        return "" if is_fit else f"{term.code} takes a number of {kind} from 1 to {MOST[kind]}."
    if kind == "date":
        return "" if (day := day_of(term)) and day > today else f"{term.code} takes a day in the future, as 2026-11-30."
    is_text = 1 <= len(term.value.strip()) <= LONGEST_VALUE and "\x00" not in term.value
    return "" if is_text else f"{term.code} takes 1 to {LONGEST_VALUE} characters."


def day_of(term: Term) -> date | None:
    """Return the day that a term names, if it names one."""
    try:
        return date.fromisoformat(term.value)
    except ValueError:
        return None


def both_sets(one: Iterable[Term], other: Iterable[Term]) -> tuple[Term, ...]:
    """Return what two people both want kept: a term of either stands, and of two values the stricter one."""
    kept: dict[str, Term] = {}
    for term in (*one, *other):
        kept[term.code] = _stricter(kept[term.code], term) if term.code in kept else term
    return tuple(kept[code] for code in sorted(kept))


def _stricter(one: Term, other: Term) -> Term:
    kind = MODIFIERS[one.code].parameter
    if kind == "text" and one.value != other.value:
        return Term(one.code, f"{one.value}; {other.value}"[:LONGEST_VALUE])
    if kind == "months":
        return min(one, other, key=lambda term: int(term.value))
    if kind == "days":
        return max(one, other, key=lambda term: int(term.value))
    return min(one, other)  # the earlier day; written as ISO it is the smaller text


def digest_of(subject: str, terms: Iterable[Term]) -> str:
    """Return the hash to which an acceptance is bound: for what, and every sentence in its words."""
    lines = [[one.code, one.value, one.sentence] for one in sorted(terms)]
    text = json.dumps({"for": subject, "terms": lines}, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def written(terms: Iterable[Term]) -> list[list[str]]:
    """Return terms as a row keeps them."""
    return [[one.code, one.value] for one in sorted(terms)]


def read(rows: Iterable[Iterable[str]]) -> tuple[Term, ...]:
    """Return terms from a row."""
    return tuple(Term(*row) for row in rows)
