"""Who may hold a size, stop its use, confirm that, and release it (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, Refusal, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command

RAISED, CONFIRMED, RELEASED = "raised", "confirmed", "released"
OFFICERS = ("duty_officer", "safety_reviewer")
HOLD_STAFF = (*OFFICERS, "release_manager")

# One officer's stop of use lapses after this time; a plain hold never does.
CONFIRM_STOP_WITHIN = timedelta(hours=72)

HOLD = Lifecycle(
    "hold",
    (RAISED, CONFIRMED, RELEASED),
    (
        command("confirm", "raised", CONFIRMED, " ".join(OFFICERS), "a stop of use; another officer than the raiser"),
        command("release", "raised confirmed", RELEASED, " ".join(HOLD_STAFF), "another person than the raiser"),
        command("lapse", "raised", RELEASED, "system", "a stop of use, 72 hours without confirmation"),
    ),
)


@dataclass(frozen=True)
class HoldFacts:
    """What the rules need to know of one hold.

    Args:
        state: raised, confirmed or released.
        stops_use: whether it is restriction R5.
        raised_by_id: actor id of whoever raised it.
        raised_at: when.
        case: subject of the case that holds the size, e.g. `report:7`; empty for a hold of its own.
    """

    state: str
    stops_use: bool
    raised_by_id: str
    raised_at: datetime
    case: str = ""


def may_raise(actor: Actor, open_holds: Iterable[HoldFacts], *, stops_use: bool) -> Decision:
    """Decide whether the actor may hold the size, or stop its use, beside the holds that are open already."""
    rule = "hold: stop use" if stops_use else "hold: raise"
    if actor.is_system:
        return _by_rule(rule, stops_use=stops_use)
    if actor.scopes is not None or not actor.has_role(*OFFICERS):
        return may_not(
            "role", "A hold is raised by a duty officer or safety reviewer.", rule, "Ask an officer on duty."
        )
    kind = [hold for hold in open_holds if hold.stops_use == stops_use]
    if stops_use and kind:
        return not_now("stopped", "Use of this size is stopped already.", rule, "Confirm the stop that is in force.")
    if any(hold.raised_by_id == actor.id and not hold.case for hold in kind):
        return not_now("held_by_you", "A hold of yours is in force.", rule, "Nothing is left to do.")
    return allow("officer", "One officer is enough to hold or stop.", rule)


def _by_rule(rule: str, *, stops_use: bool) -> Decision:
    """A rule may block widening by itself; only people stop use."""
    if stops_use:
        return may_not("system", "No rule stops use by itself.", rule, "An officer decides.")
    return allow("rule", "An open case blocks widening.", rule)


def may_confirm(actor: Actor, hold: HoldFacts) -> Decision:
    """Decide whether the actor may confirm a stop of use, so that it no longer lapses."""
    rule = "hold: confirm"
    refused = _transition(actor, hold, "confirm")
    if refused is not None:
        return refused
    if not hold.stops_use:
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
            "case", "An open misuse case holds this size.", "hold: release", "It is released where the case is closed."
        )
    return _other_person(actor, hold, "release")


def are_holds_business(actor: Actor, open_holds: Sequence[HoldFacts]) -> bool:
    """Whether holds of a size are the actor's business, even where nothing is possible now."""
    raising = [may_raise(actor, open_holds, stops_use=stops_use) for stops_use in (False, True)]
    answering = [rule(actor, hold) for hold in open_holds for rule in (may_confirm, may_release)]
    return any(decision.refusal is not Refusal.MAY_NOT for decision in [*raising, *answering])


def is_lapsed(hold: HoldFacts, at: datetime) -> bool:
    """Whether a stop of use has waited too long for a second officer."""
    return hold.stops_use and hold.state == RAISED and at >= hold.raised_at + CONFIRM_STOP_WITHIN


def _transition(actor: Actor, hold: HoldFacts, name: str) -> Decision | None:
    who = frozenset() if actor.scopes is not None else actor.roles
    decision = HOLD.decide(name, hold.state, who)
    return None if decision else decision


def _other_person(actor: Actor, hold: HoldFacts, name: str) -> Decision:
    rule = f"hold: {name}"
    if actor.id == hold.raised_by_id:
        return may_not("same_officer", f"You raised this hold; another officer must {name} it.", rule, "Ask another.")
    return allow("second_person", f"Another person than the raiser may {name} it.", rule)
