"""Write reviews of stages, and what a missed review leads to: a hold, later one stage down."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, error_of
from release_portal.registry.models import ModelSize
from release_portal.releases.executions import mark_rolled_back
from release_portal.releases.gate_policy import ReleasePolicy
from release_portal.releases.hold_services import raise_hold, release_hold
from release_portal.releases.models import Hold, Standing
from release_portal.releases.narrowing_rules import (
    HELD,
    STEP_DOWN,
    SunsetState,
    may_review,
    narrowest,
    step_below,
    sunset_state,
)
from release_portal.releases.narrowings import locked_standing, present_stage
from release_portal.releases.policy_services import policies_in_force
from release_portal.releases.services import set_stage, size_subject

RULE = system_actor("release rule")


def sunset_of(size: ModelSize, at: datetime) -> SunsetState | None:
    """Return what a missed review of a size's stage has led to, or None."""
    standing = size.standing
    if standing.ending:
        return None
    policy = policies_in_force([size], at).get(size.pk)
    return _state(standing, policy, at)


def _state(standing: Standing, policy: ReleasePolicy | None, at: datetime) -> SunsetState | None:
    """Without a policy in force nothing says how long a stage may stand."""
    if policy is None:
        return None
    return sunset_state(standing.stage, standing.since, standing.reviewed_at, policy, at)


@transaction.atomic
def review_stage(actor: Actor, size: ModelSize, *, reason: str, at: datetime) -> Standing:
    """A release manager reviews the stage of a size: its time begins anew, and the rule's hold ends.

    Args:
        reason: what was looked at and found; the public timeline shows it.
    """
    _check_manager(actor)
    _check_reason(reason)
    standing = locked_standing(size)
    standing.reviewed_at, standing.version = at, standing.version + 1
    standing.save(update_fields=["reviewed_at", "version"])
    for hold in Hold.objects.open().of_case(_case(size)):
        release_hold(actor, hold.pk, reason=reason, at=at, case=hold.case)
    data = {"stage": standing.stage, "version": standing.version}
    record("stage.reviewed", actor=actor, subject=size_subject(size.slug), at=at, reason=reason.strip(), data=data)
    return standing


def apply_sunsets(actor: Actor, *, at: datetime) -> int:
    """Hold sizes whose review is missed, and step down those that it is missed for longer; return how many acts."""
    if not actor.is_system:
        raise NotAllowed("Only the system applies sunsets.", rule="sunset: apply", change="Review the stage instead.")
    sizes = list(ModelSize.objects.filter(standing__ending="").select_related("standing", "family"))
    policies = policies_in_force(sizes, at)
    acts = 0
    for size in sizes:
        standing = size.standing
        found = _state(standing, policies.get(size.pk), at)
        if found is not None:
            acts += _apply(size, found, at)
    return acts


def _apply(size: ModelSize, found: SunsetState, at: datetime) -> int:
    if found.state == STEP_DOWN and step_below(size.standing.stage) is not None:
        return _step_down(size, found, at)
    return _hold(size, found, at) if found.state in (HELD, STEP_DOWN) else 0


@transaction.atomic
def _hold(size: ModelSize, found: SunsetState, at: datetime) -> int:
    locked_standing(size)  # two sweeps at once would both hold it
    if Hold.objects.open().of_case(_case(size)).exists():
        return 0
    reason = f"The stage was to be reviewed by {found.review_by:%d %B %Y}, and nobody has."
    raise_hold(RULE, size, reason=reason, at=at, case=_case(size))
    return 1


@transaction.atomic
def _step_down(size: ModelSize, found: SunsetState, at: datetime) -> int:
    """Not a roll-back that lapses: what people granted ends with it. The stage below begins its own time."""
    standing = locked_standing(size)
    below = step_below(standing.stage)
    if standing.version != size.standing.version or below is None:
        return 0  # somebody acted meanwhile; the next sweep looks again
    standing.granted = narrowest(standing.granted, [below])
    reason = f"The stage was to be reviewed by {found.review_by:%d %B %Y}, and nobody has."
    data = {"granted": standing.granted, "review_by": found.review_by.isoformat()}
    stage = present_stage(standing)
    set_stage(RULE, standing, stage, kind="stage.stepped_down", reason=reason, at=at, data=data)
    mark_rolled_back(RULE, size, standing.granted, at=at)
    return 1


def _case(size: ModelSize) -> str:
    return f"sunset:{size.pk}"


def _check_manager(actor: Actor) -> None:
    decision = may_review(actor)
    if not decision:
        raise error_of(decision)


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("A reason is needed.", field="reason", change="Write it; the public timeline shows it.")
