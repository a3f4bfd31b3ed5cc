"""Holds and restrictions: raised by one officer, confirmed or released by another, lapsed by time; all recorded."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from release_portal.access.lookups import size_for, sizes_for
from release_portal.access.policy import Action
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, PortalError, StaleVersion
from release_portal.epochs.services import numbers_of, size_key
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_services import confirm_hold, lapse_holds, raise_hold, release_hold
from release_portal.releases.models import Hold, Narrowing, Standing
from release_portal.releases.narrowings import roll_back
from release_portal.releases.services import size_subject
from tests.world import SERVED, World

SWEEPER = system_actor("sweeper")
HOUR = timedelta(hours=1)


def raised(world: World, name: str = "ben", level: str = "hold", at: datetime | None = None, **terms: Any) -> Hold:
    return raise_hold(world.actor(name), world.size, reason="Odd output.", level=level, at=at or world.at, **terms)


def epoch(size: ModelSize) -> int:
    return numbers_of([size_key(size.slug)])[size_key(size.slug)]


def may_generate(world: World, at: datetime | None = None) -> bool:
    """Whether cleo may generate, as the page and the list say with one voice."""
    actor, when = world.actor("cleo"), at or world.at
    listed = sizes_for(actor, Action.GENERATE, at=when).filter(slug=SERVED).exists()
    try:
        size_for(actor, SERVED, Action.GENERATE, at=when)
    except PortalError:
        assert not listed
        return False
    assert listed
    return True


def last_event() -> AuditEvent:
    event = AuditEvent.objects.last()
    assert event is not None
    return event


def narrow(world: World, name: str) -> Narrowing:
    version = Standing.objects.get(size=world.size).version
    return roll_back(world.actor(name), world.size, "partner", reason="tests", expected_version=version, at=world.at)


def test_a_plain_hold_blocks_widening_while_use_goes_on_and_no_permit_ends(world: World) -> None:
    before = epoch(world.size)
    hold = raised(world)
    assert may_generate(world)
    assert epoch(world.size) == before
    assert hold.lapses_at is None
    assert Hold.objects.open().filter(size=world.size).exists()


def test_a_hold_leaves_narrowing_open(world: World) -> None:
    raised(world)
    assert narrow(world, "ben").target == Standing.objects.get(size=world.size).stage == "partner"


def test_a_stop_ends_use_at_once_and_every_permit_with_it(world: World) -> None:
    before = epoch(world.size)
    hold = raised(world, level="R5")
    assert not may_generate(world)
    assert epoch(world.size) == before + 1
    assert hold.lapses_at == world.at + timedelta(hours=72)


@pytest.mark.parametrize("name", ["ada", "jo", "ivy", "hal", "gia", "kim", "cleo", "anonymous"])
def test_nobody_but_officers_raises_a_hold(world: World, name: str) -> None:
    for level in ("hold", "R5"):
        with pytest.raises(NotAllowed):
            raised(world, name, level)
    assert not Hold.objects.exists()


def test_a_hold_needs_a_reason(world: World) -> None:
    with pytest.raises(InvalidInput) as refused:
        raise_hold(world.actor("ben"), world.size, reason=" \n", at=world.at)
    assert refused.value.field == "reason"
    assert not Hold.objects.exists()


def test_a_hold_for_a_size_that_moved_meanwhile_is_refused(world: World) -> None:
    seen = Standing.objects.get(size=world.size).version
    narrow(world, "olu")
    with pytest.raises(StaleVersion):
        raise_hold(world.actor("ben"), world.size, reason="x", level="R5", expected_version=seen, at=world.at)
    assert not Hold.objects.exists()


def test_only_one_stop_is_in_force_whoever_asks(world: World) -> None:
    raised(world, "ben", "R5")
    with pytest.raises(NotNow):
        raised(world, "olu", "R5")
    with pytest.raises(IntegrityError), transaction.atomic():
        Hold.objects.create(
            size=world.size, level="R5", stops_use=True, reason="x", raised_by_id="2", raised_by="x", raised_at=world.at
        )


def test_a_second_officer_confirms_a_stop_and_the_first_may_not(world: World) -> None:
    hold = raised(world, "ben", "R5")
    with pytest.raises(NotAllowed):
        confirm_hold(world.actor("ben"), hold.pk, reason="", at=world.at)
    with pytest.raises(NotAllowed):
        confirm_hold(world.actor("jo"), hold.pk, reason="", at=world.at)
    confirmed = confirm_hold(world.actor("olu"), hold.pk, reason="Seen.", at=world.at)
    assert (confirmed.state, confirmed.confirmed_by, confirmed.lapses_at) == ("confirmed", "olu", None)
    with pytest.raises(NotNow):
        confirm_hold(world.actor("olu"), hold.pk, reason="", at=world.at)


def test_the_database_itself_refuses_a_raiser_who_confirms(world: World) -> None:
    hold = raised(world, "ben", "R5")
    with pytest.raises(IntegrityError), transaction.atomic():
        Hold.objects.filter(pk=hold.pk).update(confirmed_by_id=hold.raised_by_id, confirmed_at=world.at)


def test_another_person_releases_a_stop_and_use_comes_back(world: World) -> None:
    hold = raised(world, "ben", "R5")
    with pytest.raises(NotAllowed):
        release_hold(world.actor("ben"), hold.pk, reason="Harmless.", at=world.at)
    with pytest.raises(InvalidInput):
        release_hold(world.actor("jo"), hold.pk, reason="", at=world.at)
    assert not may_generate(world)
    release_hold(world.actor("jo"), hold.pk, reason="Harmless.", at=world.at)
    assert may_generate(world)
    with pytest.raises(NotNow):
        release_hold(world.actor("olu"), hold.pk, reason="again", at=world.at)


def test_releasing_one_of_two_holds_leaves_the_other_in_force(world: World) -> None:
    first, second = raised(world, "ben"), raised(world, "olu")
    release_hold(world.actor("jo"), first.pk, reason="Done.", at=world.at)
    assert [hold.pk for hold in Hold.objects.open().filter(size=world.size)] == [second.pk]


def test_a_form_that_saw_an_older_hold_changes_nothing(world: World) -> None:
    hold = raised(world, "ben", "R5")
    confirm_hold(world.actor("olu"), hold.pk, reason="", at=world.at)
    with pytest.raises(StaleVersion):
        release_hold(world.actor("jo"), hold.pk, reason="x", expected_version=hold.version, at=world.at)
    assert Hold.objects.get(pk=hold.pk).state == "confirmed"


def test_an_unknown_hold_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        release_hold(world.actor("jo"), 999, reason="x", at=world.at)


def test_an_unconfirmed_stop_lapses_after_72_hours_once_and_use_comes_back(world: World) -> None:
    hold = raised(world, level="R5")
    early, late = world.at + 71 * HOUR, world.at + 72 * HOUR
    assert lapse_holds(SWEEPER, at=early) == 0
    assert not may_generate(world, early)
    assert lapse_holds(SWEEPER, at=late) == 1
    assert lapse_holds(SWEEPER, at=late) == 0
    assert may_generate(world, late)
    event = last_event()
    assert (event.kind, event.actor_name) == ("hold.lapsed", "system: sweeper")
    assert Hold.objects.get(pk=hold.pk).state == "released"


def test_confirmed_stops_and_plain_holds_never_lapse(world: World) -> None:
    stop = raised(world, level="R5")
    confirm_hold(world.actor("olu"), stop.pk, reason="", at=world.at)
    raised(world, "olu")
    assert lapse_holds(SWEEPER, at=world.at + timedelta(days=400)) == 0
    assert Hold.objects.open().count() == 2


def test_no_person_lapses_a_hold_by_calling_the_sweeper(world: World) -> None:
    raised(world, level="R5")
    with pytest.raises(NotAllowed):
        lapse_holds(world.actor("ada"), at=world.at + 100 * HOUR)


def test_raising_and_releasing_stand_in_the_public_record_and_confirming_does_not(world: World) -> None:
    stop = raised(world, level="R5")
    confirm_hold(world.actor("olu"), stop.pk, reason="Logs checked.", at=world.at)
    release_hold(world.actor("jo"), stop.pk, reason="Fixed.", at=world.at)
    events = AuditEvent.objects.about(size_subject(SERVED)).filter(kind__startswith="hold.")
    assert [event.kind for event in events] == ["hold.raised", "hold.confirmed", "hold.released"]
    assert [event.kind for event in events.public()] == ["hold.raised", "hold.released"]
    assert [event.reason for event in events] == ["Odd output.", "Logs checked.", "Fixed."]


# --- Restrictions ----------------------------------------------------------------------------------------------------

R2 = {"functions": ["detect"], "max_tokens": 8}


@pytest.mark.parametrize(
    ("level", "terms", "field"),
    [
        ("R1", {}, "percent"),
        ("R1", {"percent": 0}, "percent"),
        ("R1", {"percent": 100}, "percent"),
        ("R2", {}, "functions"),
        ("R2", {"functions": ["generate"]}, "functions"),
        ("R2", {"max_tokens": 0}, "max_tokens"),
        ("R3", {}, "cohort"),
        ("R3", {"cohort": "staff"}, "cohort"),
        ("R4", {}, "level"),
        ("R5", {"percent": 50}, "level"),
        ("hold", {"cohort": "partner"}, "level"),
    ],
)
def test_a_restriction_without_its_terms_or_with_others_is_refused_by_field(
    world: World, level: str, terms: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        raised(world, "ben", level, **terms)
    assert refused.value.field == field
    assert not Hold.objects.exists()


@pytest.mark.parametrize(
    ("level", "terms"), [("R1", {"percent": 50}), ("R2", R2), ("R3", {"cohort": "partner"}), ("R5", {})]
)
def test_every_restriction_lapses_unless_another_officer_confirms_it(
    world: World, level: str, terms: dict[str, Any]
) -> None:
    late = world.at + 72 * HOUR
    kept, lost = raised(world, "ben", level, **terms), None
    confirm_hold(world.actor("olu"), kept.pk, reason="", at=world.at)
    if level == "R1":
        lost = raised(world, "ben", "R1", percent=10)
    assert lapse_holds(SWEEPER, at=late) == (1 if lost else 0)
    assert Hold.objects.get(pk=kept.pk).state == "confirmed"


def test_the_same_restriction_is_not_raised_twice_and_a_deeper_one_is(world: World) -> None:
    raised(world, "ben", "R1", percent=50)
    with pytest.raises(NotNow) as refused:
        raised(world, "olu", "R1", percent=50)
    assert refused.value.code == "restricted"
    raised(world, "olu", "R1", percent=10)
    assert Hold.objects.open().count() == 2


def test_cut_quotas_and_suspended_grants_leave_the_size_epoch_and_the_others_end_every_permit(world: World) -> None:
    before = epoch(world.size)
    raised(world, "ben", "R1", percent=50)
    raised(world, "ben", "R3", cohort="partner")
    assert epoch(world.size) == before
    raised(world, "ben", "R2", **R2)
    raised(world, "ben", "R3", cohort="public")
    assert epoch(world.size) == before + 2


def test_a_suspended_cohort_is_told_why_and_gets_its_use_back(world: World) -> None:
    hold = raised(world, "ben", "R3", cohort="research")
    with pytest.raises(NotNow) as refused:
        size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=world.at)
    assert (refused.value.code, "Odd output." in refused.value.reason) == ("restricted", True)
    assert not may_generate(world)
    release_hold(world.actor("jo"), hold.pk, reason="Harmless.", at=world.at)
    assert may_generate(world)


def test_a_shorter_output_leaves_use_open_and_says_how_long_it_may_be(world: World) -> None:
    raised(world, "ben", "R2", max_tokens=8)
    raised(world, "olu", "R2", max_tokens=16)
    assert may_generate(world)
    access = size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=world.at)
    assert access.longest_output == 8
    assert sorted(one.max_tokens or 0 for one in access.restrictions) == [8, 16]


def test_the_record_says_what_a_restriction_takes_away(world: World) -> None:
    raised(world, "ben", "R2", **R2)
    assert last_event().data["terms"] == "off: detect; output of at most 8 tokens"
    raised(world, "ben", "R1", percent=50)
    assert last_event().data["terms"] == "every quota at 50 %"
