"""Who may freeze widening, and who may lift a freeze early (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, may_not
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.releases.preparation_rules import instant
from release_portal.releases.proposal_rules import NEW, relations

PLANNED, IN_FORCE, LIFTED, ENDED = "planned", "in_force", "lifted", "ended"
RAISERS = "release_manager safety_reviewer duty_officer"
LIFTERS = "release_manager safety_reviewer"

FREEZE = Lifecycle(
    "freeze",
    (NEW, PLANNED, IN_FORCE, LIFTED, ENDED),
    (
        command("raise", "new", PLANNED, RAISERS, "with a reason and an end; for one family or for all"),
        command("begin", "planned", IN_FORCE, "system", "at its start; nothing runs"),
        command("lift", "planned in_force", LIFTED, LIFTERS, "early, by another person than the raiser"),
        command("end", "in_force", ENDED, "system", "at its end; nothing runs"),
    ),
)


@dataclass(frozen=True)
class FreezeFacts:
    """What the rules need to know of one freeze.

    Args:
        starts_at: from when it blocks widening.
        ends_at: until when.
        raised_by_id: actor id of whoever raised it.
        is_lifted: whether it was ended early.
    """

    starts_at: datetime
    ends_at: datetime
    raised_by_id: str
    is_lifted: bool = False

    def state(self, at: datetime) -> str:
        """Return its state at that time."""
        if self.is_lifted:
            return LIFTED
        if instant(at) >= instant(self.ends_at):
            return ENDED
        return IN_FORCE if instant(at) >= instant(self.starts_at) else PLANNED


def may_raise_freeze(actor: Actor) -> Decision:
    """Decide whether the actor may block widening for a time."""
    return FREEZE.decide("raise", NEW, relations(actor))


def may_lift_freeze(actor: Actor, freeze: FreezeFacts, at: datetime) -> Decision:
    """Decide whether the actor may end a freeze before its time."""
    decision = FREEZE.decide("lift", freeze.state(at), relations(actor))
    if decision and actor.id == freeze.raised_by_id:
        reason = "You raised this freeze; another person must lift it."
        return may_not("same_person", reason, "freeze: lift", "Ask another.")
    return decision


def end_problem(starts_at: datetime, ends_at: datetime, at: datetime) -> str:
    """Return why a freeze cannot end then; empty when it can."""
    if instant(ends_at) <= instant(starts_at):
        return "The end must lie after the start."
    return "" if instant(ends_at) > instant(at) else "The end must lie in the future."
