"""Who may narrow a size, and what stage is left while narrowings wait for a second person (pure).

Narrowing needs one person and no wait. No hold, freeze, open proposal or end of observation is asked here: nothing may
stand in its way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, Refusal, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.releases.gate_policy import ReleasePolicy
from release_portal.releases.hold_rules import CONFIRM_STOP_WITHIN, HOLD_STAFF
from release_portal.releases.ladder import LADDER, neighbours, stage_of

RAISED, CONFIRMED, LAPSED = "raised", "confirmed", "lapsed"
WITHDRAW_STAFF = ("duty_officer", "release_manager")
REVIEWERS = ("release_manager",)
TYPED_WORD = "withdraw"
WITHDRAWN = "withdrawn"
LANDING = "disclosed"  # where a withdrawn size stays, so that everybody can read why
CONFIRMED_WITHIN = timedelta(minutes=10)  # how fresh a password must be for what cannot be undone
SUNSET_NOTICE = timedelta(days=90)

NARROWING = Lifecycle(
    "narrowing",
    (RAISED, CONFIRMED, LAPSED),
    (
        command("confirm", "raised", CONFIRMED, " ".join(HOLD_STAFF), "another person than the one who narrowed"),
        command("lapse", "raised", LAPSED, "system", "72 hours without confirmation"),
    ),
)


@dataclass(frozen=True)
class NarrowingFacts:
    """What the rules need to know of one narrowing.

    Args:
        state: raised, confirmed or lapsed.
        target: slug of the stage that it leads to.
        raised_by_id: actor id of whoever narrowed.
        raised_at: when.
    """

    state: str
    target: str
    raised_by_id: str
    raised_at: datetime


# --- Roll back --------------------------------------------------------------------------------------------------------


def may_roll_back(actor: Actor, present: str, target: str) -> Decision:
    """Decide whether the actor may narrow a size from its present stage to another."""
    rule = "moves: roll back"
    if actor.scopes is not None or not actor.has_role(*HOLD_STAFF):
        reason = "A size is rolled back by a duty officer, safety reviewer or release manager."
        return may_not("role", reason, rule, "Ask an officer on duty.")
    if target == present:
        return not_now("same_stage", f"The size already stands at {stage_of(present).label}.", rule, "Choose another.")
    if stage_of(target).ordinal > stage_of(present).ordinal:
        reason = f"{stage_of(target).label} is wider; no single person widens a size."
        return not_now("widening", reason, rule, "Propose the next stage: its gate and its approvals decide.")
    return allow("narrow", "Narrowing needs one person and no wait.", rule)


def roll_backs_of(actor: Actor, present: str) -> list[tuple[str, Decision]]:
    """Return every lower stage, the nearest first, with the decision on a roll-back there."""
    below = reversed(LADDER[: stage_of(present).ordinal])
    return [(stage.slug, may_roll_back(actor, present, stage.slug)) for stage in below]


def may_confirm(actor: Actor, narrowing: NarrowingFacts) -> Decision:
    """Decide whether the actor may confirm a narrowing, so that it no longer lapses."""
    rule = "narrowing: confirm"
    decision = NARROWING.decide("confirm", narrowing.state, frozenset() if actor.scopes is not None else actor.roles)
    if not decision:
        return decision
    if actor.id == narrowing.raised_by_id:
        return may_not("same_officer", "You narrowed this size; another person must confirm it.", rule, "Ask another.")
    return allow("second_person", "Another person than the one who narrowed.", rule)


def is_lapsed(narrowing: NarrowingFacts, at: datetime) -> bool:
    """Whether a narrowing has waited too long for a second person."""
    return narrowing.state == RAISED and at >= narrowing.raised_at + CONFIRM_STOP_WITHIN


def narrowest(granted: str, targets: Iterable[str]) -> str:
    """Return where a size stands: the narrowest of what people granted and what is narrowed for now.

    It depends on the set alone, so narrowings may lapse in any order.
    """
    return min([granted, *targets], key=lambda slug: stage_of(slug).ordinal)


# --- Withdrawal (R7) -------------------------------------------------------------------------------------------------


def may_withdraw(actor: Actor, ending: str, tombstone: Mapping[str, Any]) -> Decision:
    """Decide whether the actor may propose to withdraw a size for ever."""
    rule = "withdrawal: propose"
    refused = _by_role(actor, rule)
    if refused is not None:
        return refused
    if ending:
        return not_now(ending, f"The size is {ending} already.", rule, "Nothing is left to do.")
    if tombstone:
        return not_now("proposed", "A withdrawal waits for its second person.", rule, "Another person confirms it.")
    return allow("one_person", "One person proposes, and the size is narrowed at once.", rule)


def may_confirm_withdrawal(actor: Actor, ending: str, tombstone: Mapping[str, Any]) -> Decision:
    """Decide whether the actor is the second person who makes a withdrawal final."""
    rule = "withdrawal: confirm"
    refused = _by_role(actor, rule)
    if refused is not None:
        return refused
    if ending or not tombstone:
        reason = f"The size is {ending} already." if ending else "Nobody has proposed to withdraw this size."
        return not_now(ending or "not_proposed", reason, rule, "Look at the size's page.")
    if actor.id == tombstone["proposed_by_id"]:
        return may_not("same_officer", "You proposed this; another person must confirm it.", rule, "Ask another.")
    return allow("second_person", "Another person than the one who proposed it.", rule)


def _by_role(actor: Actor, rule: str) -> Decision | None:
    if actor.scopes is None and actor.has_role(*WITHDRAW_STAFF):
        return None
    return may_not("role", "A size is withdrawn by a duty officer and a release manager.", rule, "Ask one of them.")


def is_freshly_confirmed(confirmed_at: datetime | None, at: datetime) -> bool:
    """Whether the person proved a short while ago who they are."""
    return confirmed_at is not None and timedelta(0) <= at - confirmed_at <= CONFIRMED_WITHIN


# --- Sunset ----------------------------------------------------------------------------------------------------------

DUE, HELD, STEP_DOWN = "due", "held", "step_down"


@dataclass(frozen=True)
class SunsetState:
    """How long a stage has stood without a review.

    Args:
        state: due, held or step_down.
        review_by: when the review was due.
        hold_at: from when on the size is held.
        step_down_at: from when on it steps down by one stage.
    """

    state: str
    review_by: datetime
    hold_at: datetime
    step_down_at: datetime


def sunset_state(
    stage: str, since: datetime, reviewed_at: datetime | None, policy: ReleasePolicy, at: datetime
) -> SunsetState | None:
    """Return what a missed review has led to, or None while the stage stands within its time."""
    lasts = policy.review_after(stage)
    if lasts is None:
        return None
    review_by = max(since, reviewed_at or since) + lasts
    if at < review_by:
        return None
    hold_at, step_down_at = review_by + policy.sunset_hold, review_by + policy.sunset_step_down
    state = STEP_DOWN if at >= step_down_at else HELD if at >= hold_at else DUE
    return SunsetState(state, review_by, hold_at, step_down_at)


def step_below(stage: str) -> str | None:
    """Return the stage that a missed review leads to, or None where copies are out and nothing would come back."""
    below = neighbours(stage)[0]
    return below.slug if below is not None and stage_of(stage).is_reversible else None


def may_review(actor: Actor) -> Decision:
    """Decide whether the actor may review a stage or announce its end."""
    rule = "sunset: review"
    if actor.scopes is None and actor.has_role(*REVIEWERS):
        return allow("release_manager", "A release manager reviews a stage.", rule)
    return may_not("role", "A stage is reviewed by a release manager.", rule, "Ask a release manager.")


def is_movers_business(actor: Actor, present: str) -> bool:
    """Whether rolling back is the actor's business, even where nothing is possible now."""
    return may_roll_back(actor, present, LADDER[0].slug).refusal is not Refusal.MAY_NOT
