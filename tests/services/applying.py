"""What tests of applications share: answers that are complete, and people who file and decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from release_portal.access.agreements.services import agreement_in_force
from release_portal.access.application_rules import Answers
from release_portal.access.applications import submit_application
from release_portal.access.conditions import USUAL, Conditions
from release_portal.access.models import Application
from tests.world import SERVED, World

DAY = timedelta(days=1)


def answers(at: datetime, **changes: Any) -> Answers:
    """A complete application."""
    full = Answers(
        purpose_code="P01",
        purpose="How short can a text be before detection fails?",
        affiliation="An institute",
        intended_use="Counted, and kept for a year.",
        functions=("generate", "detect"),
        requested_end=(at + 100 * DAY).date(),
    )
    return replace(full, **changes)


def submit(world: World, name: str, at: datetime, *, renews: str = "", version: int = 0, **changes: Any) -> Application:
    """Somebody hands in a complete application for the served size."""
    return submit_application(
        world.actor(name),
        SERVED,
        answers(at, **changes),
        agreement_hash=agreement_in_force(at).sha256,
        expected_version=version,
        at=at,
        renews=renews,
    )


def conditions(application: Application, **changes: Any) -> Conditions:
    """Everything that was asked for, at the usual quota."""
    return replace(Conditions(tuple(application.functions), application.requested_end, USUAL), **changes)
