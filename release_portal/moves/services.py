"""Use cases over several rooms: lock and carry out a proposal with its preview, restrict the use of a size."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from release_portal.access.models import Grant
from release_portal.core.actors import Actor
from release_portal.epochs.services import advance_epoch, grant_key
from release_portal.moves.previews import preview_move
from release_portal.registry.models import ModelSize
from release_portal.releases.executions import execute_proposal
from release_portal.releases.hold_rules import COHORT, PUBLIC
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import Hold, Lock, Proposal
from release_portal.releases.proposals import lock_proposal


@transaction.atomic
def lock_with_preview(actor: Actor, proposal: Proposal, *, expected_version: int, at: datetime) -> Lock:
    """Lock a proposal together with what its move would change."""
    preview = preview_move(proposal.size, proposal.target, at)
    return lock_proposal(actor, proposal.pk, preview=preview, expected_version=expected_version, at=at)


@transaction.atomic
def execute(
    actor: Actor,
    proposal: Proposal,
    *,
    typed: str,
    confirmed_at: datetime,
    expected_version: int,
    at: datetime,
) -> Proposal:
    """Carry out a proposal; what it changes is written down as it is now."""
    preview = preview_move(proposal.size, proposal.target, at)
    return execute_proposal(
        actor,
        proposal.pk,
        typed=typed,
        confirmed_at=confirmed_at,
        preview=preview,
        expected_version=expected_version,
        at=at,
    )


@transaction.atomic
def restrict(
    actor: Actor,
    size: ModelSize,
    level: str,
    *,
    reason: str,
    at: datetime,
    percent: int | None = None,
    max_tokens: int | None = None,
    functions: Iterable[str] = (),
    cohort: str = "",
    expected_version: int | None = None,
) -> Hold:
    """Hold a size or restrict its use; running work that is no longer allowed ends within two steps.

    Args:
        level: hold, R1, R2, R3 or R5.
        percent, max_tokens, functions, cohort: what the level takes away.
    """
    hold = raise_hold(
        actor,
        size,
        reason=reason,
        at=at,
        level=level,
        percent=percent,
        max_tokens=max_tokens,
        functions=functions,
        cohort=cohort,
        expected_version=expected_version,
    )
    if level == COHORT and cohort != PUBLIC:
        for grant_id in Grant.objects.filter(sizes=size, kind=cohort).values_list("pk", flat=True):
            advance_epoch(grant_key(grant_id))  # only their permits end; others work on
    return hold
