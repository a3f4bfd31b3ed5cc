"""Sunset: a stage that nobody reviews is held, later steps down; a review is a person's act."""

from __future__ import annotations

from datetime import timedelta

import pytest

from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_services import release_hold
from release_portal.releases.models import Hold, PolicyAdoption, Standing
from release_portal.releases.sunsets import apply_sunsets, review_stage, sunset_of
from tests.world import World, put_at_stage

SWEEPER = system_actor("sweeper")
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def fresh(world: World) -> None:
    """Only the served size counts here, and its time begins now."""
    Standing.objects.exclude(size=world.size).update(stage="disclosed", granted="disclosed")
    Standing.objects.update(since=world.at, reviewed_at=None)


def standing(world: World) -> Standing:
    return Standing.objects.get(size=world.size)


def state(world: World, days: int) -> str | None:
    found = sunset_of(ModelSize.objects.select_related("standing").get(pk=world.size.pk), world.at + days * DAY)
    return found.state if found else None


def test_a_stage_is_due_after_180_days_held_14_later_and_stepped_down_after_30(world: World) -> None:
    assert [state(world, days) for days in (179, 180, 194, 210)] == [None, "due", "held", "step_down"]
    assert apply_sunsets(SWEEPER, at=world.at + 180 * DAY) == 0
    assert apply_sunsets(SWEEPER, at=world.at + 194 * DAY) == 1
    assert apply_sunsets(SWEEPER, at=world.at + 195 * DAY) == 0
    hold = Hold.objects.get()
    assert (hold.raised_by, hold.level, hold.size) == ("system: release rule", "hold", world.size)
    assert apply_sunsets(SWEEPER, at=world.at + 210 * DAY) == 1
    assert apply_sunsets(SWEEPER, at=world.at + 211 * DAY) == 0
    assert (standing(world).stage, standing(world).granted) == ("partner", "partner")
    event = AuditEvent.objects.filter(kind="stage.stepped_down").get()
    assert (event.actor_name, event.data["from"], event.data["to"]) == (
        "system: release rule",
        "research_hosted",
        "partner",
    )


def test_copies_that_are_out_do_not_come_back_so_such_a_stage_is_only_held(world: World) -> None:
    put_at_stage(world.size, "research_weights", world.at)
    assert apply_sunsets(SWEEPER, at=world.at + 999 * DAY) == 1
    assert standing(world).stage == "research_weights"
    assert Hold.objects.open().count() == 1


def test_a_review_begins_the_time_anew_and_ends_the_hold_of_the_rule(world: World) -> None:
    late = world.at + 194 * DAY
    apply_sunsets(SWEEPER, at=late)
    with pytest.raises(NotNow, match="sunset"):
        release_hold(world.actor("jo"), Hold.objects.get().pk, reason="Go on.", at=late)
    review_stage(world.actor("jo"), world.size, reason="Misuse reports read; nothing new.", at=late)
    assert not Hold.objects.open().exists()
    assert standing(world).reviewed_at == late
    assert state(world, 194 + 179) is None
    assert apply_sunsets(SWEEPER, at=late + 179 * DAY) == 0


@pytest.mark.parametrize("name", ["ben", "olu", "ivy", "cleo", "anonymous"])
def test_nobody_but_a_release_manager_reviews(world: World, name: str) -> None:
    with pytest.raises(NotAllowed):
        review_stage(world.actor(name), world.size, reason="x", at=world.at)
    with pytest.raises(NotAllowed):
        apply_sunsets(world.actor(name), at=world.at + 999 * DAY)


def test_a_review_needs_a_reason(world: World) -> None:
    with pytest.raises(InvalidInput):
        review_stage(world.actor("jo"), world.size, reason=" ", at=world.at)


def test_without_a_policy_in_force_nothing_is_due(world: World) -> None:
    PolicyAdoption.objects.all().delete()
    assert state(world, 999) is None
    assert apply_sunsets(SWEEPER, at=world.at + 999 * DAY) == 0


def test_a_withdrawn_size_is_left_alone(world: World) -> None:
    Standing.objects.filter(size=world.size).update(ending="withdrawn")
    assert state(world, 999) is None
    assert apply_sunsets(SWEEPER, at=world.at + 999 * DAY) == 0
