"""Write where sizes stand. Nothing here decides: a proposal that was executed, a roll-back, or its lapse does."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.epochs.services import advance_epoch, size_key, start_epoch
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import stage_of
from release_portal.releases.models import StageEntry, Standing


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
    reached = since or at
    # A stage that the public record reports counts as reviewed when it is recorded here.
    defaults = {"stage": stage, "granted": stage, "since": reached, "reviewed_at": at if since else None}
    standing, is_new = Standing.objects.get_or_create(size=size, defaults=defaults)
    if is_new:
        _enter(size, stage, reached)
        start_epoch(size_key(size.slug))
        data = {"to": stage, "since": reached.isoformat()}
        record("stage.set", actor=actor, subject=size_subject(size.slug), at=at, reason=reason, data=data)
    return standing


@transaction.atomic
def set_stage(
    actor: Actor,
    standing: Standing,
    stage: str,
    *,
    kind: str,
    reason: str,
    at: datetime,
    data: Mapping[str, Any] | None = None,
    granted: str | None = None,
) -> Standing:
    """Write the present stage of a size with its event; only services that have decided call it.

    Args:
        standing: row that the caller has locked.
        kind: kind of the event, e.g. `stage.advanced`.
        data: what the event holds beside from, to and version.
        granted: the widest stage that people decided on, where that changes too.
    """
    before = standing.stage
    standing.granted = granted or standing.granted
    if stage != before:
        standing.stage, standing.since = stage, at
        _enter(standing.size, stage, at)
    standing.version += 1
    standing.save(update_fields=["stage", "granted", "since", "version"])
    if stage_of(stage).ordinal < stage_of(before).ordinal:
        advance_epoch(size_key(standing.size.slug))  # narrowing ends every permit that the old stage gave
    content = {"from": before, "to": stage, "version": standing.version, **(data or {})}
    record(kind, actor=actor, subject=size_subject(standing.size.slug), at=at, reason=reason, data=content)
    return standing


def _enter(size: ModelSize, stage: str, at: datetime) -> None:
    StageEntry.objects.create(size=size, stage=stage, ordinal=stage_of(stage).ordinal, entered_at=at)
