"""The duty roster: officers only, no two shifts of one person at once, and who is on duty at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from release_portal.accounts.duty import add_shift, on_duty, remove_shift
from release_portal.accounts.models import DutyShift, User
from release_portal.accounts.own_data import export_own_data
from release_portal.audit.models import AuditEvent
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow
from release_portal.ops.demo_policies import SHIFT
from tests.services.proposing import person_with
from tests.world import World

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def lea(world: World) -> User:
    """A duty officer who is on no roster."""
    return person_with(world, "lea", "duty_officer")


def added(world: World, user: User, start: timedelta, end: timedelta, *, by: str = "olu") -> DutyShift:
    return add_shift(world.actor(by), user, starts_at=world.at + start, ends_at=world.at + end, at=world.at)


def names(at: datetime) -> list[str]:
    return [user.username for user in on_duty(at)]


def test_ben_and_olu_are_on_duty_in_the_demo(world: World) -> None:
    assert names(world.at) == ["ben", "olu"]
    assert names(world.at + SHIFT - HOUR) == ["ben", "olu"]
    assert names(world.at + SHIFT) == []


@pytest.mark.parametrize("name", ["olu", "jo", "ada"])
def test_a_shift_counts_from_its_start_until_its_end(world: World, lea: User, name: str) -> None:
    shift = added(world, lea, DAY, 2 * DAY, by=name)
    times = (shift.starts_at - timedelta(seconds=1), shift.starts_at, shift.ends_at)
    assert ["lea" in names(at) for at in times] == [False, True, False]
    assert shift.added_by == name


@pytest.mark.parametrize("name", ["ben", "ivy", "lea", "finn", "anonymous"])
def test_nobody_else_plans_the_roster(world: World, lea: User, name: str) -> None:
    shift = added(world, lea, DAY, 2 * DAY)
    with pytest.raises(NotAllowed):
        added(world, lea, 3 * DAY, 4 * DAY, by=name)
    with pytest.raises(NotAllowed):
        remove_shift(world.actor(name), shift.pk, at=world.at)


def test_only_duty_officers_with_a_live_account_are_put_on_the_roster(world: World, lea: User) -> None:
    with pytest.raises(InvalidInput, match="no duty officer") as refused:
        added(world, world.people["jo"], DAY, 2 * DAY)
    assert refused.value.field == "user"
    User.objects.filter(pk=lea.pk).update(is_active=False)
    with pytest.raises(InvalidInput):
        added(world, lea, DAY, 2 * DAY)


def test_who_lost_the_role_or_the_account_is_not_on_duty(world: World) -> None:
    world.people["ben"].role_assignments.filter(role="duty_officer").delete()
    assert names(world.at) == ["olu"]
    User.objects.filter(username="olu").update(is_active=False)
    assert names(world.at) == []


def test_two_shifts_of_one_person_do_not_overlap(world: World, lea: User) -> None:
    added(world, lea, DAY, 3 * DAY)
    for start, end in ((DAY, 3 * DAY), (2 * DAY, 4 * DAY), (HOUR, DAY + HOUR), (DAY + HOUR, DAY + 2 * HOUR)):
        with pytest.raises(NotNow) as refused:
            added(world, lea, start, end)
        assert refused.value.code == "overlap"
    assert added(world, lea, 3 * DAY, 4 * DAY), "one may follow the other at once"
    assert names(world.at + 3 * DAY).count("lea") == 1


@pytest.mark.parametrize(("start", "end"), [(DAY, DAY), (2 * DAY, DAY), (-2 * DAY, -DAY), (-DAY, 0 * DAY)])
def test_a_shift_ends_after_its_start_and_after_now(world: World, lea: User, start: timedelta, end: timedelta) -> None:
    with pytest.raises(InvalidInput) as refused:
        added(world, lea, start, end)
    assert refused.value.field == "ends_at"


def test_a_shift_that_is_to_come_is_removed_and_one_that_runs_ends_now(world: World, lea: User) -> None:
    coming, running = added(world, lea, DAY, 2 * DAY), added(world, lea, -DAY, HOUR)
    remove_shift(world.actor("jo"), coming.pk, at=world.at)
    assert not DutyShift.objects.filter(pk=coming.pk).exists()
    remove_shift(world.actor("jo"), running.pk, at=world.at)
    assert "lea" not in names(world.at)
    assert "lea" in names(world.at - HOUR), "it stays known who was on duty"
    with pytest.raises(NotNow):
        remove_shift(world.actor("jo"), running.pk, at=world.at)
    with pytest.raises(NotFound):
        remove_shift(world.actor("jo"), coming.pk, at=world.at)


def test_the_roster_is_recorded_and_in_the_own_data_of_the_officer(world: World, lea: User) -> None:
    shift = added(world, lea, DAY, 2 * DAY)
    key = shift.pk
    held = export_own_data(world.actor("lea"), lea, at=world.at)["holdings"]["duty_shifts"]
    assert [row["added_by"] for row in held] == ["olu"]
    remove_shift(world.actor("olu"), key, at=world.at)
    events = AuditEvent.objects.filter(data__shift=key, data__account="lea").order_by("seq")
    assert list(events.values_list("kind", flat=True)) == ["duty.added", "duty.removed"]


def test_T10_a_shift_over_the_change_of_clocks_and_the_leap_day_lasts_its_true_time(world: World, lea: User) -> None:
    zone = ZoneInfo("Europe/Berlin")
    night = add_shift(
        world.actor("olu"),
        lea,
        starts_at=datetime(2099, 10, 24, 12, tzinfo=zone),
        ends_at=datetime(2099, 10, 25, 12, tzinfo=zone),
        at=world.at,
    )
    night.refresh_from_db()
    assert night.ends_at - night.starts_at == timedelta(hours=25)
    leap = add_shift(
        world.actor("olu"),
        lea,
        starts_at=datetime(2096, 2, 28, tzinfo=UTC),
        ends_at=datetime(2096, 3, 1, tzinfo=UTC),
        at=world.at,
    )
    leap.refresh_from_db()
    assert leap.ends_at - leap.starts_at == 2 * DAY
