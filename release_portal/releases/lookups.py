"""Which moves of a size are open to an actor: the one answer that the service and the pages share."""

from __future__ import annotations

from model_cards.lookups import missing_for
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import LADDER, Stage, neighbours, stage_of
from release_portal.releases.rules import may_move


def decide_move(actor: Actor, size: ModelSize, present: str, target: str, *, is_held: bool) -> Decision:
    """Return whether the actor may move the size from its present stage to another now."""
    decision = may_move(actor, present, target, is_held=is_held)
    if not decision or stage_of(target).ordinal < stage_of(present).ordinal:
        return decision  # the card is read only where it could still say no
    return may_move(actor, present, target, is_held=is_held, missing_sections=missing_for(size, target))


def moves_for(actor: Actor, size: ModelSize, *, is_held: bool) -> list[tuple[Stage, Decision]]:
    """Return the next stage and every lower one, each with the decision on a move there."""
    present = size.standing.place
    above = neighbours(present.slug)[1]
    targets = [*([above] if above else []), *reversed(LADDER[: present.ordinal])]
    return [(stage, decide_move(actor, size, present.slug, stage.slug, is_held=is_held)) for stage in targets]
