"""Freezes: raised by one person, in force between two times, lifted early by another."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.db import IntegrityError, transaction

from release_portal.audit.models import AuditEvent
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.releases.freezes import lift_freeze, raise_freeze
from release_portal.releases.models import Freeze
from tests.world import World

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def raised(world: World, *, by: str = "jo", starts: int = 0, ends: int = 7, is_common: bool = False) -> Freeze:
    return raise_freeze(
        world.actor(by),
        family=None if is_common else world.size.family,
        starts_at=world.at + starts * DAY,
        ends_at=world.at + ends * DAY,
        reason="Nobody is here over the holidays.",
        at=world.at,
    )


@pytest.mark.parametrize("name", ["jo", "ben", "olu"])
def test_release_managers_and_officers_freeze(world: World, name: str) -> None:
    freeze = raised(world, by=name)
    assert list(Freeze.objects.in_force(world.at)) == [freeze]
    assert not Freeze.objects.in_force(freeze.ends_at).exists()
    assert not Freeze.objects.in_force(world.at - timedelta(seconds=1)).exists()


@pytest.mark.parametrize("name", ["ivy", "kim", "gia", "finn", "anonymous"])
def test_nobody_else_freezes(world: World, name: str) -> None:
    with pytest.raises(NotAllowed):
        raised(world, by=name)


def test_a_freeze_that_comes_is_on_the_calendar_and_blocks_nothing_yet(world: World) -> None:
    freeze = raised(world, starts=3)
    assert list(Freeze.objects.coming(world.at)) == [freeze]
    assert not Freeze.objects.in_force(world.at).exists()
    assert Freeze.objects.in_force(world.at + 3 * DAY).exists()


@pytest.mark.parametrize(("starts", "ends"), [(0, 0), (3, 2), (-3, 0), (-3, -1)])
def test_a_freeze_ends_after_its_start_and_after_now(world: World, starts: int, ends: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        raised(world, starts=starts, ends=ends)
    assert refused.value.field == "ends_at"


def test_a_freeze_needs_a_reason(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        raise_freeze(
            world.actor("jo"), family=None, starts_at=world.at, ends_at=world.at + DAY, reason=" ", at=world.at
        )
    assert refused.value.field == "reason"


def test_another_person_lifts_a_freeze_early(world: World) -> None:
    freeze = raised(world)
    with pytest.raises(NotAllowed, match="You raised"):
        lift_freeze(world.actor("jo"), freeze.pk, reason="why", expected_version=1, at=world.at)
    for name in ("olu", "ivy", "finn"):
        with pytest.raises(NotAllowed):
            lift_freeze(world.actor(name), freeze.pk, reason="why", expected_version=1, at=world.at)
    lifted = lift_freeze(world.actor("ben"), freeze.pk, reason="All are back.", expected_version=1, at=world.at + HOUR)
    assert (lifted.lifted_by, lifted.version) == ("ben", 2)
    assert Freeze.objects.in_force(world.at).exists(), "it was in force then"
    assert not Freeze.objects.in_force(world.at + HOUR).exists()
    with pytest.raises(NotNow):
        lift_freeze(world.actor("ada"), freeze.pk, reason="again", expected_version=2, at=world.at + HOUR)


def test_a_freeze_that_comes_is_lifted_as_well_and_one_that_ended_is_not(world: World) -> None:
    coming, other = raised(world, starts=3), raised(world, ends=1)
    lift_freeze(world.actor("ada"), coming.pk, reason="Not needed.", expected_version=1, at=world.at)
    assert not Freeze.objects.coming(world.at).exists()
    with pytest.raises(NotNow):
        lift_freeze(world.actor("ada"), other.pk, reason="late", expected_version=1, at=world.at + DAY)


def test_a_stale_form_and_a_missing_reason_lift_nothing(world: World) -> None:
    freeze = raised(world)
    with pytest.raises(StaleVersion):
        lift_freeze(world.actor("ada"), freeze.pk, reason="why", expected_version=2, at=world.at)
    with pytest.raises(InvalidInput):
        lift_freeze(world.actor("ada"), freeze.pk, reason="", expected_version=1, at=world.at)
    with pytest.raises(NotFound):
        lift_freeze(world.actor("ada"), 0, reason="why", expected_version=1, at=world.at)
    assert Freeze.objects.in_force(world.at).count() == 1


def test_freezes_are_recorded_for_the_family_or_for_all(world: World) -> None:
    freeze = raised(world)
    lift_freeze(world.actor("ada"), freeze.pk, reason="why", expected_version=1, at=world.at)
    raised(world, is_common=True)
    events = AuditEvent.objects.filter(kind__startswith="freeze.").order_by("seq")
    family = f"family:{world.size.family.slug}"
    assert list(events.values_list("kind", "subject")) == [
        ("freeze.raised", family), ("freeze.lifted", family), ("freeze.raised", "families:all"),
    ]  # fmt: skip


def test_a_time_of_another_zone_is_kept_as_the_same_instant(world: World) -> None:
    zone = ZoneInfo("Europe/Berlin")
    year = world.at.year + 1
    freeze = raise_freeze(
        world.actor("jo"),
        family=None,
        starts_at=datetime(year, 10, 31, 2, 30, tzinfo=zone, fold=0),
        ends_at=datetime(year, 10, 31, 12, tzinfo=zone),
        reason="Clocks change.",
        at=world.at,
    )
    freeze.refresh_from_db()
    assert freeze.starts_at == datetime(year, 10, 31, 2, 30, tzinfo=zone).astimezone(UTC)
    assert freeze.starts_at.utcoffset() == timedelta()


def test_the_database_itself_refuses_an_end_before_the_start(world: World) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Freeze.objects.create(
            starts_at=world.at, ends_at=world.at, reason="x", raised_by_id="1", raised_by="x", raised_at=world.at
        )
