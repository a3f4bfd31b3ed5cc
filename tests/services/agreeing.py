"""What tests of the agreement share: the next version, written by one person and approved by another."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.agreements.drafts import Wording, schedule_draft, write_draft
from release_portal.access.models import AgreementVersion
from tests.world import World


def next_version(
    world: World, text: str, *, at: datetime, start: datetime | None = None, is_material: bool = True
) -> AgreementVersion:
    """Ivy writes it, ada approves it."""
    draft = write_draft(world.actor("ivy"), Wording(text, start or at, is_material, "It changed."), at=at)
    return schedule_draft(world.actor("ada"), draft.pk, expected_version=draft.version, at=at)
