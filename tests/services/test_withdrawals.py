"""Withdrawal (R7): one person narrows and proposes, a second makes it final; then nobody uses the size again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.policy import Action
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow, StaleVersion
from release_portal.releases.models import Narrowing, Standing
from release_portal.releases.narrowings import lapse_narrowings
from release_portal.releases.withdrawals import confirm_withdrawal, lapse_withdrawals, withdraw
from tests.world import SERVED, World, put_at_stage

SWEEPER = system_actor("sweeper")
HOUR = timedelta(hours=1)
TOMBSTONE = {"what": "The size.", "why": "Its data was taken back.", "copies": "Two mirrors.", "replacement": ""}


def standing(world: World) -> Standing:
    return Standing.objects.get(size=world.size)


def proposed(world: World, name: str = "ben", **other: Any) -> Standing:
    given: dict[str, Any] = {
        "tombstone": TOMBSTONE, "typed": "withdraw", "confirmed_at": world.at,
        "expected_version": standing(world).version, "at": world.at, **other,
    }  # fmt: skip
    return withdraw(world.actor(name), world.size, **given)


def final(world: World, name: str = "ada", **other: Any) -> Standing:
    given: dict[str, Any] = {
        "confirmed_at": world.at, "expected_version": standing(world).version, "at": world.at, **other
    }  # fmt: skip
    return confirm_withdrawal(world.actor(name), world.size, **given)


def test_a_proposed_withdrawal_narrows_at_once_and_ends_nothing_for_good(world: World) -> None:
    now = proposed(world)
    assert (now.stage, now.granted, now.ending) == ("disclosed", "research_hosted", "")
    assert (now.tombstone["why"], now.tombstone["proposed_by"]) == ("Its data was taken back.", "ben")
    assert AuditEvent.objects.filter(kind="size.withdrawal_proposed").count() == 1


def test_a_second_person_makes_it_final_and_the_first_may_not(world: World) -> None:
    proposed(world)
    with pytest.raises(NotAllowed) as refused:
        final(world, "ben")
    assert refused.value.code == "same_officer"
    now = final(world, "ada")
    assert (now.stage, now.granted, now.ending) == ("disclosed", "disclosed", "withdrawn")
    assert Narrowing.objects.get(size=world.size).state == "confirmed"
    event = AuditEvent.objects.about(f"size:{SERVED}").public().last()
    assert event is not None
    assert (event.kind, event.reason, event.data["copies"]) == (
        "size.withdrawn",
        "Its data was taken back.",
        "Two mirrors.",
    )
    with pytest.raises(NotNow):
        final(world, "olu")


def test_a_withdrawn_size_is_read_about_and_never_used(world: World) -> None:
    """Seen to fail with the filter on `standing__ending` removed from `sizes_for`."""
    proposed(world)
    final(world)
    Standing.objects.filter(size=world.size).update(stage="open_science")  # whatever the stage would open
    cleo = world.actor("cleo")
    for action in (Action.VIEW, Action.READ_CARD):
        assert size_for(cleo, SERVED, action, at=world.at)
        assert sizes_for(cleo, action, at=world.at).filter(slug=SERVED).exists()
    for action in (Action.GENERATE, Action.DETECT, Action.DOWNLOAD_WEIGHTS, Action.USE_DETECTOR):
        with pytest.raises(NotAllowed) as refused:
            size_for(cleo, SERVED, action, at=world.at)
        assert refused.value.code == "withdrawn"
        assert not sizes_for(cleo, action, at=world.at).filter(slug=SERVED).exists()


@pytest.mark.parametrize("name", ["ivy", "hal", "gia", "kim", "cleo", "anonymous"])
def test_nobody_else_withdraws_a_size(world: World, name: str) -> None:
    with pytest.raises(NotAllowed):
        proposed(world, name)
    assert standing(world).tombstone == {}


@pytest.mark.parametrize("field", ["what", "why", "copies"])
def test_a_tombstone_must_say_what_why_and_which_copies(world: World, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        proposed(world, tombstone={**TOMBSTONE, field: " "})
    assert refused.value.field == field
    assert standing(world).stage == "research_hosted"


def test_the_word_a_fresh_password_and_the_version_are_needed(world: World) -> None:
    with pytest.raises(InvalidInput) as typed:
        proposed(world, typed="yes")
    assert typed.value.field == "typed"
    for confirmed_at in (None, world.at - HOUR, world.at + HOUR):
        with pytest.raises(NotAllowed) as refused:
            proposed(world, confirmed_at=confirmed_at)
        assert refused.value.code == "confirm"
    with pytest.raises(StaleVersion):
        proposed(world, expected_version=99)
    assert standing(world).stage == "research_hosted"


def test_a_size_that_nobody_uses_yet_is_not_narrowed_further(world: World) -> None:
    for stage in ("disclosed", "registered"):
        put_at_stage(world.size, stage, world.at)
        Standing.objects.filter(size=world.size).update(tombstone={})
        assert proposed(world).stage == stage
    assert not Narrowing.objects.exists()
    assert final(world).ending == "withdrawn"


def test_an_unconfirmed_withdrawal_lapses_with_its_roll_back(world: World) -> None:
    proposed(world)
    early, late = world.at + 71 * HOUR, world.at + 72 * HOUR
    assert lapse_withdrawals(SWEEPER, at=early) == 0
    assert lapse_withdrawals(SWEEPER, at=late) == 1
    assert lapse_narrowings(SWEEPER, at=late) == 1
    assert (standing(world).stage, standing(world).tombstone, standing(world).ending) == ("research_hosted", {}, "")
    with pytest.raises(NotNow):
        final(world)
    with pytest.raises(NotAllowed):
        lapse_withdrawals(world.actor("ada"), at=late)


@pytest.mark.parametrize(("stage", "cannot"), [("open_weights", True), ("research_weights", False)])
def test_the_tombstone_says_when_copies_cannot_be_recalled(world: World, stage: str, cannot: bool) -> None:
    put_at_stage(world.size, stage, world.at)
    proposed(world)
    assert final(world).tombstone["cannot_recall"] is cannot
