"""How much care an application needs: a tier with the lines that lead to it, never a score (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from release_portal.access.application_rules import Answers, kind_of_grant
from release_portal.access.purposes import PURPOSES
from release_portal.releases.ladder import stage_of

# Purposes whose results can hurt people when they leave the study.
RISKY_PURPOSES = frozenset({"P04", "P05", "P06"})
LONG_DAYS = 180
# So many times larger than the largest open size is another kind of step.
FAR_LARGER = 10
# A cohort of more people than this is looked at by two.
LARGE_COHORT = 25
HIGHEST_TIER = 3
# Another number makes every tier that was kept be worked out anew.
VERSION = 2


@dataclass(frozen=True)
class Signal:
    """One line of the trace.

    Args:
        code: stable slug.
        sentence: what was found, for people.
        tier: the tier that this line alone asks for.
    """

    code: str
    sentence: str
    tier: int


@dataclass(frozen=True)
class Risk:
    """The tier and every line that was looked at."""

    tier: int
    signals: tuple[Signal, ...]


@dataclass(frozen=True)
class RiskFacts:
    """What the tier rests on.

    Args:
        stage: where the size stands.
        answers: what is asked for.
        parameters: how large the size is.
        largest_open: how large the largest size is that asks for no grant; 0 when none is open.
        today: the day from which the length is counted.
        needs_care: the programme asks for special care with this purpose.
        named: how many people beside the applicant are named.
        seats: how many people a cohort may seat; 0 where none is asked for.
    """

    stage: str
    answers: Answers
    parameters: int
    largest_open: int
    today: date
    needs_care: bool = False
    named: int = 0
    seats: int = 0


def risk_of(facts: RiskFacts) -> Risk:
    """Return the tier: that of the highest line; two lines of tier 2 make tier 3."""
    signals = tuple(look(facts) for look in (_kind, _functions, _purpose, _size, _length, _people))
    high = sum(one.tier >= 2 for one in signals)
    return Risk(HIGHEST_TIER if high > 1 else max(one.tier for one in signals), signals)


def _kind(facts: RiskFacts) -> Signal:
    kind, label = kind_of_grant(facts.stage), stage_of(facts.stage).label
    return Signal("kind", f"At the stage {label} a {kind} grant is given.", 2 if kind == "partner" else 0)


def _functions(facts: RiskFacts) -> Signal:
    asked = set(facts.answers.functions)
    if "weights" in asked:
        return Signal("functions", "Weights are asked for: a copy cannot be called back.", 2)
    if "generate" in asked:
        return Signal("functions", "Generation is asked for: new text comes into being.", 1)
    return Signal("functions", "Only detection is asked for: no new text comes into being.", 0)


def _purpose(facts: RiskFacts) -> Signal:
    code = facts.answers.purpose_code
    name = PURPOSES.get(code, "none yet")
    if code in RISKY_PURPOSES:
        return Signal("purpose", f"The purpose can hurt people when results leave the study: {name}.", 2)
    if facts.needs_care:
        return Signal("purpose", f"The programme asks for special care with this purpose: {name}.", 2)
    return Signal("purpose", f"The purpose asks for no special care: {name}.", 0)


def _size(facts: RiskFacts) -> Signal:
    if not facts.largest_open:
        return Signal("size", "No size is open yet with which this one could be compared.", 0)
    if facts.parameters > FAR_LARGER * facts.largest_open:
        return Signal("size", f"The size is more than {FAR_LARGER} times the largest open one.", 2)
    if facts.parameters > facts.largest_open:
        return Signal("size", "The size is larger than the largest open one.", 1)
    return Signal("size", "A size as large as this one is open already.", 0)


def _length(facts: RiskFacts) -> Signal:
    end = facts.answers.requested_end
    days = (end - facts.today).days if end else 0
    if days > LONG_DAYS:
        return Signal("length", f"More than {LONG_DAYS} days are asked for.", 1)
    return Signal("length", f"Not more than {LONG_DAYS} days are asked for.", 0)


def _people(facts: RiskFacts) -> Signal:
    if facts.seats > LARGE_COHORT:
        return Signal("people", f"A cohort of {facts.seats} people is asked for, more than {LARGE_COHORT}.", 2)
    if facts.seats:
        return Signal("people", f"A cohort of {facts.seats} people is asked for, who are not named yet.", 1)
    if facts.named:
        return Signal("people", f"{facts.named + 1} people would use it, the applicant among them.", 1)
    return Signal("people", "One person would use it.", 0)
