"""Who may hold a size or restrict its use, confirm that, and release it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, Refusal, allow, may_not, not_now
from release_portal.core.errors import InvalidInput
from release_portal.core.lifecycle import Lifecycle, command

RAISED, CONFIRMED, RELEASED = "raised", "confirmed", "released"
OFFICERS = ("duty_officer", "safety_reviewer")
HOLD_STAFF = (*OFFICERS, "release_manager")

# A plain hold blocks widening only; a restriction takes use away. R4 is a roll-back, R6 a recall, R7 a withdrawal.
PLAIN, QUOTAS, FEATURES, COHORT, STOP = "hold", "R1", "R2", "R3", "R5"
LEVELS = (PLAIN, QUOTAS, FEATURES, COHORT, STOP)
RESTRICTIONS = LEVELS[1:]
PARTNER, RESEARCH, PUBLIC = "partner", "research", "public"
COHORTS = (PARTNER, RESEARCH, PUBLIC)
OFF_FUNCTIONS = ("detect", "weights")  # what R2 can switch off

# One officer's restriction lapses after this time; a plain hold never does.
CONFIRM_STOP_WITHIN = timedelta(hours=72)

HOLD = Lifecycle(
    "hold",
    (RAISED, CONFIRMED, RELEASED),
    (
        command("confirm", "raised", CONFIRMED, " ".join(OFFICERS), "a restriction; another officer than the raiser"),
        command("release", "raised confirmed", RELEASED, " ".join(HOLD_STAFF), "another person than the raiser"),
        command("lapse", "raised", RELEASED, "system", "a restriction, 72 hours without confirmation"),
    ),
)


@dataclass(frozen=True)
class Restriction:
    """What a hold takes away.

    Args:
        level: hold, R1, R2, R3 or R5.
        percent: R1: what is left of every quota.
        max_tokens: R2: longest output.
        functions: R2: functions that are off.
        cohort: R3: partner, research or public.
        reason: sentence of the officer who raised it.
    """

    level: str
    percent: int | None = None
    max_tokens: int | None = None
    functions: frozenset[str] = frozenset()
    cohort: str = ""
    reason: str = ""

    @property
    def terms(self) -> str:
        """What it takes away, in words; empty for what the level says alone."""
        if self.level == QUOTAS:
            return f"every quota at {self.percent} %"
        if self.level == COHORT:
            return f"no use by the cohort: {self.cohort}"
        off = [f"off: {', '.join(sorted(self.functions))}"] if self.functions else []
        longest = [f"output of at most {self.max_tokens} tokens"] if self.max_tokens else []
        return "; ".join([*off, *longest])


@dataclass(frozen=True)
class HoldFacts:
    """What the rules need to know of one hold.

    Args:
        state: raised, confirmed or released.
        level: hold, R1, R2, R3 or R5.
        raised_by_id: actor id of whoever raised it.
        raised_at: when.
        case: subject of the case that holds the size, e.g. `report:7`; empty for a hold of its own.
        terms: what the restriction takes away, in words.
    """

    state: str
    level: str
    raised_by_id: str
    raised_at: datetime
    case: str = ""
    terms: str = ""


def check_terms(wanted: Restriction) -> None:
    """Raise InvalidInput, naming the field, for a restriction that takes nothing away or says too much."""
    if wanted.level not in LEVELS:
        raise InvalidInput(f"{wanted.level!r} is no level.", field="level", change="Choose one from the list.")
    if wanted.level == QUOTAS and not 1 <= (wanted.percent or 0) <= 99:
        raise _wrong("percent", "Say what is left of every quota: 1 to 99 percent.")
    if wanted.level == COHORT and wanted.cohort not in COHORTS:
        raise _wrong("cohort", "Say whose use is suspended: partner, research or public.")
    if wanted.level == FEATURES:
        _check_features(wanted)
    if wanted != Restriction(wanted.level, reason=wanted.reason, **_own_terms(wanted)):
        raise _wrong("level", f"{wanted.level} does not take these terms.")


def _check_features(wanted: Restriction) -> None:
    if not wanted.functions <= set(OFF_FUNCTIONS):
        raise _wrong("functions", f"Only these can be switched off: {', '.join(OFF_FUNCTIONS)}.")
    if wanted.max_tokens is not None and wanted.max_tokens < 1:
        raise _wrong("max_tokens", "The longest output is one token at least.")
    if not wanted.functions and wanted.max_tokens is None:
        raise _wrong("functions", "Say which functions are off, or how long an output may be.")


def _own_terms(wanted: Restriction) -> dict[str, Any]:
    names = {QUOTAS: ("percent",), FEATURES: ("max_tokens", "functions"), COHORT: ("cohort",)}.get(wanted.level, ())
    return {name: getattr(wanted, name) for name in names}


def _wrong(field: str, reason: str) -> InvalidInput:
    return InvalidInput(reason, field=field, change="Correct this field; nothing was restricted.")


def may_raise(actor: Actor, open_holds: Iterable[HoldFacts], *, level: str, terms: str = "") -> Decision:
    """Decide whether the actor may hold the size, or restrict its use, beside the holds that are open already."""
    rule = "hold: raise" if level == PLAIN else f"hold: restrict {level}"
    if actor.is_system:
        return _by_rule(rule, level)
    if actor.scopes is not None or not actor.has_role(*OFFICERS):
        return may_not(
            "role", "A hold is raised by a duty officer or safety reviewer.", rule, "Ask an officer on duty."
        )
    kind = [hold for hold in open_holds if (hold.level, hold.terms) == (level, terms)]
    if level == STOP and kind:
        return not_now("stopped", "Use of this size is stopped already.", rule, "Confirm the stop that is in force.")
    if level != PLAIN and kind:
        return not_now("restricted", "This restriction is in force already.", rule, "Confirm the one that is in force.")
    if any(hold.raised_by_id == actor.id and not hold.case for hold in kind):
        return not_now("held_by_you", "A hold of yours is in force.", rule, "Nothing is left to do.")
    return allow("officer", "One officer is enough to hold or restrict.", rule)


def _by_rule(rule: str, level: str) -> Decision:
    """A rule may block widening by itself; only people take use away."""
    if level != PLAIN:
        return may_not("system", "No rule restricts use by itself.", rule, "An officer decides.")
    return allow("rule", "An open case blocks widening.", rule)


def may_confirm(actor: Actor, hold: HoldFacts) -> Decision:
    """Decide whether the actor may confirm a restriction, so that it no longer lapses."""
    rule = "hold: confirm"
    refused = _transition(actor, hold, "confirm")
    if refused is not None:
        return refused
    if hold.level == PLAIN:
        return not_now("plain", "A plain hold does not lapse.", rule, "Nothing is left to do.")
    return _other_person(actor, hold, "confirm")


def may_release(actor: Actor, hold: HoldFacts, *, case: str = "") -> Decision:
    """Decide whether the actor may release a hold; one that a case raised ends with the case.

    Args:
        case: subject of the case that is being closed; empty when the hold is released by itself.
    """
    refused = _transition(actor, hold, "release")
    if refused is not None:
        return refused
    if hold.case != case:
        return not_now(
            "case", f"An open case holds this size: {hold.case or case}.", "hold: release", _case_ends(hold.case)
        )
    return _other_person(actor, hold, "release")


def _case_ends(case: str) -> str:
    if case.startswith("sunset:"):
        return "It ends when a release manager reviews the stage."
    return "It is released where the case is closed."


def are_holds_business(actor: Actor, open_holds: Sequence[HoldFacts]) -> bool:
    """Whether holds of a size are the actor's business, even where nothing is possible now."""
    raising = [may_raise(actor, open_holds, level=level) for level in (PLAIN, STOP)]
    answering = [rule(actor, hold) for hold in open_holds for rule in (may_confirm, may_release)]
    return any(decision.refusal is not Refusal.MAY_NOT for decision in [*raising, *answering])


def is_lapsed(hold: HoldFacts, at: datetime) -> bool:
    """Whether a restriction has waited too long for a second officer."""
    return hold.level != PLAIN and hold.state == RAISED and at >= hold.raised_at + CONFIRM_STOP_WITHIN


def _transition(actor: Actor, hold: HoldFacts, name: str) -> Decision | None:
    who = frozenset() if actor.scopes is not None else actor.roles
    decision = HOLD.decide(name, hold.state, who)
    return None if decision else decision


def _other_person(actor: Actor, hold: HoldFacts, name: str) -> Decision:
    rule = f"hold: {name}"
    if actor.id == hold.raised_by_id:
        return may_not("same_officer", f"You raised this hold; another officer must {name} it.", rule, "Ask another.")
    return allow("second_person", f"Another person than the raiser may {name} it.", rule)
