"""May this person ask for this now? One evaluator, on the server only; it answers with every line it looked at (pure).

The same lines are shown before sending, kept with the submission, and read by reviewers. None of them grants anything:
where nothing stands in the way a person still decides.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from release_portal.access.application_rules import WHEN
from release_portal.access.programmes.countries import COUNTRIES
from release_portal.access.programmes.programme_rules import CARE, IGNORE, NOT_ADMITTED, REFUSE, Programme
from release_portal.access.purposes import PURPOSES
from release_portal.access.refusals import REASONS
from release_portal.access.review_rules import NO_PLACE

EVALUATOR = "1"

MET, NOT_MET, NEEDS_PERSON = "met", "not_met", "needs_person"
ALLOW, A_PERSON, REFUSED = "allow", "a_person", "refused"

# Rules of which a programme says what happens when they are not met.
RULES = ("mail_confirmed", "affiliation_given", "cool_down", "not_held", "duties_done", "country")
# Lines that stand in every trace.
ALWAYS = ("size_named", "purpose")

# Reasons of a refusal that the applicant can mend alone, a typo among them: nobody waits before asking again.
AT_ONCE = frozenset({"purpose_unclear", "outside_agreement", "affiliation_unconfirmed", "safeguards_missing"})

ASKED = {
    "size_named": "Is the size named by itself?",
    "purpose": "Does the programme admit the purpose?",
    "mail_confirmed": "Is your mail address confirmed?",
    "affiliation_given": "Do you say where you work?",
    "cool_down": "Does an earlier refusal ask you to wait?",
    "not_held": "Do you hold a grant for this size already?",
    "duties_done": "Are the duties of your earlier grants done?",
    "country": "Does the programme take applications from your country?",
}
CHANGES = {
    "size_named": "Apply for each size on its own; a larger one always asks anew.",
    "purpose": "Choose the purpose that comes closest, or look for a programme that admits yours.",
    "mail_confirmed": "Confirm your mail address on your account page; the link comes by mail.",
    "affiliation_given": "Say where you work; whoever works alone says so and names something that shows their work.",
    "cool_down": "Wait until that day, or appeal against the refusal.",
    "not_held": "Ask for a renewal from your grant's page, or say what it does not cover.",
    "duties_done": "Hand in what is overdue; your grants' pages list it.",
    "country": "Correct the country if it is wrong; where sanctions or law bind us we cannot make an exception.",
}


@dataclass(frozen=True)
class PastRefusal:
    """An earlier application that was refused."""

    code: str
    at: datetime


@dataclass(frozen=True)
class Facts:
    """What the evaluator knows.

    Args:
        size: name of the size that is asked for.
        purpose_code: P01 to P15, or empty.
        affiliation: what the applicant says.
        mail_confirmed: whether the address of the account was confirmed.
        country: answer to the programme's question for it; a code, or empty.
        refusals: the applicant's earlier refusals that no appeal undid.
        held: ids of grants in force for this size that this application does not renew.
        duties: how many duties of earlier grants are overdue.
    """

    size: str
    purpose_code: str = ""
    affiliation: str = ""
    mail_confirmed: bool = False
    country: str = ""
    refusals: tuple[PastRefusal, ...] = ()
    held: tuple[str, ...] = ()
    duties: int = 0


@dataclass(frozen=True)
class Line:
    """One line of the trace.

    Args:
        code: the rule.
        asked: the question that the rule asks.
        outcome: met, not_met, or needs_person.
        reason: what was found.
        change: what would change it; empty where it is met.
    """

    code: str
    asked: str
    outcome: str
    reason: str
    change: str = ""


@dataclass(frozen=True)
class Trace:
    """Every line that was looked at, and what follows from them.

    Args:
        outcome: allow, a_person or refused.
        lines: in the order of the rules.
        programme: name and version.
        digest: of the programme's file.
    """

    outcome: str
    lines: tuple[Line, ...]
    programme: str
    digest: str

    @property
    def failing(self) -> tuple[Line, ...]:
        """The lines for which nobody is asked as long as they stand."""
        return tuple(one for one in self.lines if one.outcome == NOT_MET)

    def stored(self) -> list[dict[str, Any]]:
        """Return the lines as they are kept."""
        return [asdict(one) for one in self.lines]


def evaluate(programme: Programme, facts: Facts, at: datetime) -> Trace:
    """Return the trace of a programme's rules over the facts of one applicant; total, and without side effects."""
    lines = tuple(
        line
        for code, rule in _LINES.items()
        if programme.eligibility.get(code) != IGNORE
        for line in [_line(code, programme, rule(programme, facts, at))]
    )
    return Trace(_outcome(lines), lines, str(programme), programme.digest)


# What a rule found: met, and the sentence; None as the first: the rule itself says that a person must look.
Found = tuple[bool | None, str]


def _line(code: str, programme: Programme, found: Found) -> Line:
    met, reason = found
    if met:
        return Line(code, ASKED[code], MET, reason)
    is_refused = met is False and programme.eligibility.get(code, REFUSE) == REFUSE
    return Line(code, ASKED[code], NOT_MET if is_refused else NEEDS_PERSON, reason, CHANGES[code])


def _outcome(lines: tuple[Line, ...]) -> str:
    outcomes = {one.outcome for one in lines}
    if NOT_MET in outcomes:
        return REFUSED
    return A_PERSON if NEEDS_PERSON in outcomes else ALLOW


def _size_named(programme: Programme, facts: Facts, at: datetime) -> Found:
    return True, f"Asked for is {facts.size} alone; a grant never includes a size that it does not name."


def _purpose(programme: Programme, facts: Facts, at: datetime) -> Found:
    code = facts.purpose_code
    if code not in PURPOSES:
        return False, "No purpose is chosen yet."
    verdict, name = programme.purposes.get(code, NOT_ADMITTED), PURPOSES[code]
    if verdict == NOT_ADMITTED:
        return False, f"{programme.title} does not admit the purpose: {name}."
    if verdict == CARE:
        return None, f"The purpose asks for people's special care: {name}."
    return True, f"{programme.title} admits the purpose: {name}."


def _mail_confirmed(programme: Programme, facts: Facts, at: datetime) -> Found:
    if facts.mail_confirmed:
        return True, "Your mail address is confirmed."
    return False, "Nobody has confirmed yet that your mail address is yours."


def _affiliation_given(programme: Programme, facts: Facts, at: datetime) -> Found:
    place = " ".join(facts.affiliation.casefold().split()).strip(" .,")
    if not place:
        return False, "You do not say where you work."
    if place in NO_PLACE:
        return None, "You work alone, so a person looks at what shows your work."
    return True, "You say where you work."


def _cool_down(programme: Programme, facts: Facts, at: datetime) -> Found:
    waits = [(until, code) for code, until in _waits(programme, facts) if at < until]
    if waits:
        until, code = max(waits)
        return False, f"An application was refused: {_label(code)} You may ask again from {until:{WHEN}}."
    if facts.refusals:
        last = max(facts.refusals, key=lambda one: one.at)
        return True, f"An earlier application was refused: {_label(last.code)} You may ask again now."
    return True, "No application of yours was refused."


def _waits(programme: Programme, facts: Facts) -> list[tuple[str, datetime]]:
    found = []
    for one in facts.refusals:
        days = 0 if one.code in AT_ONCE else programme.cool_down.get(one.code, 0)
        found.append((one.code, _later(one.at, days)))
    return found


def _later(at: datetime, days: int) -> datetime:
    """Return a day so many days later; at the end of the calendar, its end."""
    try:
        return at + timedelta(days=days)
    except OverflowError:
        return datetime.max.replace(tzinfo=at.tzinfo)


def _label(code: str) -> str:
    return REASONS[code].label if code in REASONS else "the reason is no longer in the catalogue."


def _not_held(programme: Programme, facts: Facts, at: datetime) -> Found:
    if facts.held:
        return False, f"You hold {', '.join(facts.held)} for this size, and this application does not renew it."
    return True, "You hold no other grant for this size."


def _duties_done(programme: Programme, facts: Facts, at: datetime) -> Found:
    if facts.duties > 0:
        noun = "duty is" if facts.duties == 1 else "duties are"
        return False, f"{facts.duties} {noun} overdue."
    return True, "No duty of yours is overdue."


def _country(programme: Programme, facts: Facts, at: datetime) -> Found:
    rule = programme.countries
    if rule is None:
        return True, "The programme takes applications from everywhere."
    if facts.country not in COUNTRIES:
        return False, "No country is given yet."
    if rule.admits(facts.country):  # not named: not everybody who reads the trace reads the answer
        return True, "The programme takes applications from the country that is given."
    return False, "The programme takes no applications from the country that is given."


_LINES: dict[str, Callable[[Programme, Facts, datetime], Found]] = {
    "size_named": _size_named,
    "purpose": _purpose,
    "mail_confirmed": _mail_confirmed,
    "affiliation_given": _affiliation_given,
    "cool_down": _cool_down,
    "not_held": _not_held,
    "duties_done": _duties_done,
    "country": _country,
}
