"""Write where sizes stand."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, StaleVersion, error_of
from release_portal.epochs.services import advance_epoch, size_key, start_epoch
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import LADDER, stage_of
from release_portal.releases.lookups import decide_move
from release_portal.releases.models import Hold, Standing


def size_subject(slug: str) -> str:
    """Return how the audit log names a size."""
    return f"size:{slug}"


@transaction.atomic
def register_standing(
    actor: Actor, size: ModelSize, stage: str, *, reason: str, at: datetime, since: datetime | None = None
) -> Standing:
    """Give a new size its first stage; later calls change nothing.

    Args:
        since: when it reached that stage, where the public record says so; else now.
    """
    standing, is_new = Standing.objects.get_or_create(size=size, defaults={"stage": stage, "since": since or at})
    if is_new:
        start_epoch(size_key(size.slug))
        record("stage.set", actor=actor, subject=size_subject(size.slug), at=at, reason=reason, data={"to": stage})
    return standing


@transaction.atomic
def move_stage(
    actor: Actor, size: ModelSize, target: str, *, reason: str, expected_version: int, at: datetime
) -> Standing:
    """Move a size to another stage with a reason; what people may do changes with the commit.

    Raises:
        InvalidInput: unknown stage, or no reason.
        NotAllowed, NotNow: the rule says no.
        StaleVersion: somebody moved the size since the form was opened.
    """
    if target not in {stage.slug for stage in LADDER}:
        raise InvalidInput(f"{target!r} is not a stage.", field="stage", change="Choose a stage from the list.")
    if not reason.strip():
        raise InvalidInput(
            "A reason is needed.", field="reason", change="Write why the size moves; the public timeline shows it."
        )
    standing = Standing.objects.select_for_update().get(size=size)
    is_held = Hold.objects.open().filter(size=size).exists()
    decision = decide_move(actor, size, standing.stage, target, is_held=is_held)
    if not decision:
        raise error_of(decision)
    if standing.version != expected_version:
        raise StaleVersion(
            f"The size was moved to {standing.place.label} while this form was open.",
            change="Look at the timeline, then decide again.",
        )
    return _carry_out(actor, size, standing, target, reason=reason.strip(), at=at)


def _carry_out(
    actor: Actor, size: ModelSize, standing: Standing, target: str, *, reason: str, at: datetime
) -> Standing:
    before = standing.stage
    is_wider = stage_of(target).ordinal > stage_of(before).ordinal
    standing.stage, standing.since, standing.version = target, at, standing.version + 1
    standing.save(update_fields=["stage", "since", "version"])
    if not is_wider:
        advance_epoch(size_key(size.slug))  # narrowing ends every permit that the old stage gave
    record(
        "stage.advanced" if is_wider else "stage.rolled_back",
        actor=actor,
        subject=size_subject(size.slug),
        at=at,
        reason=reason,
        data={"from": before, "to": target, "version": standing.version},
    )
    return standing
