"""Retirement: announced by a person long before, called off by a person, carried out on its day for good."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.policy import Action
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow
from release_portal.epochs.services import numbers_of, size_key
from release_portal.moves.retirements import announce_retirement, call_off_retirement, carry_out_retirements
from release_portal.notices.models import Notice
from release_portal.releases.history import standing_as_of
from release_portal.releases.models import Standing
from release_portal.releases.withdrawals import lapse_withdrawals, withdraw
from tests.world import SERVED, World

SWEEPER = system_actor("sweeper")
DAY = timedelta(days=1)
SOON = 90 * DAY
TOMBSTONE = {"what": "The size.", "why": "Its data was taken back.", "copies": "None.", "replacement": ""}


def standing(world: World) -> Standing:
    return Standing.objects.get(size=world.size)


def announced(world: World, name: str = "ada", **other: Any) -> Standing:
    given = {"sunset_at": world.at + SOON, "reason": "A better one replaces it.", "at": world.at, **other}
    return announce_retirement(world.actor(name), world.size, **given)


def swept(at: datetime) -> int:
    return carry_out_retirements(SWEEPER, at=at)


def told(world: World, kind: str) -> list[str]:
    return sorted(Notice.objects.filter(kind=kind).values_list("recipient__username", flat=True))


def test_a_retirement_is_announced_90_days_before(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        announced(world, sunset_at=world.at + 89 * DAY)
    assert refused.value.field == "sunset_at"
    announced(world)
    assert standing(world).sunset_at == world.at + SOON
    assert AuditEvent.objects.public().filter(kind="sunset.announced").count() == 1


def test_on_its_day_and_not_before_the_size_is_archived_by_the_system_in_the_words_of_who_announced_it(
    world: World,
) -> None:
    announced(world)
    assert swept(world.at + SOON - timedelta(seconds=1)) == 0
    assert standing(world).ending == ""
    before = numbers_of([size_key(SERVED)])[size_key(SERVED)]
    assert swept(world.at + SOON) == 1
    now = standing(world)
    assert (now.ending, now.stage, now.tombstone["announced_by"]) == ("archived", "research_hosted", "ada")
    event = AuditEvent.objects.public().get(kind="size.archived")
    assert (event.actor_name, event.reason) == ("system: sweeper", "A better one replaces it.")
    assert numbers_of([size_key(SERVED)])[size_key(SERVED)] == before + 1  # running work ends with its permits


def test_a_sweep_that_comes_twice_or_late_archives_once(world: World) -> None:
    announced(world)
    assert [swept(world.at + SOON + 400 * DAY), swept(world.at + SOON + 401 * DAY)] == [1, 0]
    assert AuditEvent.objects.filter(kind="size.archived").count() == 1
    assert told(world, "size_archived") == []  # no grant lasted that long


def test_an_archived_size_is_read_about_and_never_used(world: World) -> None:
    """Seen to fail with `_by_ending` removed from the policy, and with the filter removed from the list."""
    world.grants["cleo"].ends_at = world.at + 200 * DAY
    world.grants["cleo"].save()
    announced(world)
    late = world.at + SOON
    assert size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=late - DAY)
    swept(late)
    cleo = world.actor("cleo")
    for action in (Action.VIEW, Action.READ_CARD):
        assert size_for(cleo, SERVED, action, at=late)
    for action in (Action.GENERATE, Action.DETECT, Action.DOWNLOAD_WEIGHTS, Action.USE_DETECTOR):
        with pytest.raises(NotAllowed) as refused:
            size_for(cleo, SERVED, action, at=late)
        assert refused.value.code == "archived"
        assert not sizes_for(cleo, action, at=late).filter(slug=SERVED).exists()


def test_nothing_leads_back_from_the_archive(world: World) -> None:
    announced(world)
    swept(world.at + SOON)
    late = world.at + SOON
    with pytest.raises(NotNow):
        announced(world, sunset_at=late + SOON, at=late)
    with pytest.raises(NotNow):
        call_off_retirement(world.actor("ada"), world.size, reason="Back.", at=late)
    with pytest.raises(NotNow):
        withdraw(
            world.actor("ben"), world.size, tombstone=TOMBSTONE, typed="withdraw", confirmed_at=late,
            expected_version=standing(world).version, at=late,
        )  # fmt: skip


def test_a_retirement_that_is_called_off_does_not_come(world: World) -> None:
    announced(world)
    call_off_retirement(world.actor("jo"), world.size, reason="The study goes on.", at=world.at + 80 * DAY)
    assert standing(world).sunset_at is None
    assert swept(world.at + SOON) == 0
    assert told(world, "size_retirement_called_off") == ["cleo", "eve"]
    with pytest.raises(NotNow):
        call_off_retirement(world.actor("jo"), world.size, reason="Again.", at=world.at + 80 * DAY)


def test_another_day_replaces_the_one_that_was_announced(world: World) -> None:
    announced(world)
    announced(world, sunset_at=world.at + 200 * DAY, at=world.at + 10 * DAY)
    assert [swept(world.at + SOON), swept(world.at + 200 * DAY)] == [0, 1]


def test_holders_are_told_at_once_again_before_the_day_and_at_the_end_each_once(world: World) -> None:
    for grant in (world.grants["cleo"], world.grants["eve"]):
        grant.ends_at = world.at + 200 * DAY
        grant.save()
    announced(world)
    assert told(world, "size_retires") == ["cleo", "eve"]
    for days in (1, 59, 60, 61, 87, 88):
        swept(world.at + days * DAY)
    assert told(world, "size_retires") == sorted(["cleo", "eve"] * 3)
    swept(world.at + SOON)
    swept(world.at + SOON + DAY)
    assert told(world, "size_archived") == ["cleo", "eve"]


def test_a_withdrawal_that_waits_for_its_second_person_is_the_stronger_word(world: World) -> None:
    announced(world)
    late = world.at + SOON
    withdraw(
        world.actor("ben"), world.size, tombstone=TOMBSTONE, typed="withdraw", confirmed_at=late - DAY,
        expected_version=standing(world).version, at=late - DAY,
    )  # fmt: skip
    assert swept(late) == 0
    lapse_withdrawals(SWEEPER, at=late + 3 * DAY)
    assert swept(late + 3 * DAY) == 1


@pytest.mark.parametrize("name", ["ben", "olu", "ivy", "cleo", "anonymous"])
def test_nobody_but_a_release_manager_announces_or_calls_off(world: World, name: str) -> None:
    with pytest.raises(NotAllowed):
        announced(world, name)
    announced(world)
    with pytest.raises(NotAllowed):
        call_off_retirement(world.actor(name), world.size, reason="x", at=world.at)
    with pytest.raises(NotAllowed):
        carry_out_retirements(world.actor(name), at=world.at + SOON)


@pytest.mark.parametrize("reason", ["", "  "])
def test_both_need_a_reason(world: World, reason: str) -> None:
    with pytest.raises(InvalidInput):
        announced(world, reason=reason)
    announced(world)
    with pytest.raises(InvalidInput):
        call_off_retirement(world.actor("jo"), world.size, reason=reason, at=world.at)


def test_the_record_tells_each_step_at_its_time(world: World) -> None:
    announced(world)
    swept(world.at + SOON)
    then = standing_as_of(SERVED, world.at + DAY)
    assert (then.is_sunset, then.ending) == (True, "")
    assert standing_as_of(SERVED, world.at + SOON).ending == "archived"
