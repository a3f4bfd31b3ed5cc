"""Grants: suspended by one officer, confirmed or lifted by another, ended by time; every act in the record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from release_portal.access.grant_rules import CONFIRM_WITHIN, GRANT
from release_portal.access.lookups import grant_for, grants_for, size_for
from release_portal.access.models import Grant, Suspension
from release_portal.access.policy import Action
from release_portal.access.quota import Limits
from release_portal.access.services import (
    LONGEST_DAYS,
    GrantTerms,
    confirm_suspension,
    create_grant,
    expire_grants,
    lapse_suspensions,
    lift_suspension,
    relations_of,
    suspend_grant,
)
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.epochs.services import grant_key, numbers_of
from tests.world import SERVED, World

SWEEPER = system_actor("sweeper")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
EVERYONE = (
    "ada", "jo", "ben", "ivy", "hal", "gia", "kim", "olu", "cleo", "dan", "eve", "finn", "lou", "anonymous",
)  # fmt: skip


def fresh(grant: Grant) -> Grant:
    return Grant.objects.get(pk=grant.pk)


def epoch(grant: Grant) -> int:
    return numbers_of([grant_key(grant.pk)])[grant_key(grant.pk)]


def last_event() -> AuditEvent:
    event = AuditEvent.objects.exclude(kind="receipt.completed").last()
    assert event is not None
    return event


@pytest.fixture
def grant(world: World) -> Grant:
    """The grant of cleo."""
    return world.grants["cleo"]


def suspend(world: World, grant: Grant, name: str = "ben", *, at: datetime | None = None) -> Suspension:
    return suspend_grant(
        world.actor(name), grant.pk, reason=" Volume. ", expected_version=fresh(grant).version, at=at or world.at
    )


# --- Suspending, confirming, lifting --------------------------------------------------------------------------------


def test_one_officer_suspends_at_once_and_the_holder_is_told_why(world: World, grant: Grant, at: datetime) -> None:
    """Seen to fail with `advance_epoch` removed from `suspend_grant`."""
    assert size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=at).grant == grant
    before = epoch(grant)
    suspend(world, grant)
    assert (fresh(grant).state, fresh(grant).version, epoch(grant)) == ("suspended", 2, before + 1)
    with pytest.raises(NotAllowed, match=r"Volume\.") as caught:
        size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=at)
    assert caught.value.code == "grant_suspended"
    event = last_event()
    assert (event.kind, event.actor_name, event.subject) == ("grant.suspended", "ben", f"grant:{grant.pk}")


def test_another_officer_lifts_and_the_grant_is_what_it_was(world: World, grant: Grant, at: datetime) -> None:
    suspend(world, grant)
    ends_at = fresh(grant).ends_at
    lift_suspension(world.actor("olu"), grant.pk, reason="checked", expected_version=2, at=at + HOUR)
    now = fresh(grant)
    assert (now.state, now.version, now.ends_at) == ("active", 3, ends_at)
    assert now.open_suspension is None
    assert size_for(world.actor("cleo"), SERVED, Action.GENERATE, at=at)
    assert last_event().kind == "grant.lifted"
    assert Suspension.objects.get(grant=grant).end_reason == "checked"


def test_time_lost_to_an_unfounded_suspension_is_added_to_the_end(world: World, grant: Grant, at: datetime) -> None:
    ends_at = grant.ends_at
    suspend(world, grant)
    lift_suspension(
        world.actor("olu"), grant.pk, reason="a mistake", expected_version=2, at=at + 5 * HOUR, is_unfounded=True
    )
    assert fresh(grant).ends_at == ends_at + 5 * HOUR
    assert last_event().data["unfounded"] is True


def test_T39_an_old_permit_does_not_live_again_after_a_lift(world: World, grant: Grant, at: datetime) -> None:
    before = epoch(grant)
    suspend(world, grant)
    lift_suspension(world.actor("olu"), grant.pk, reason="checked", expected_version=2, at=at)
    assert epoch(grant) > before


@pytest.mark.parametrize("act", [confirm_suspension, lift_suspension])
def test_T6_the_officer_who_suspended_neither_confirms_nor_lifts(
    world: World, grant: Grant, at: datetime, act: Callable[..., None]
) -> None:
    """T6. Seen to fail with the check for the same officer removed."""
    suspend(world, grant, "ben")
    with pytest.raises(NotAllowed) as caught:
        act(world.actor("ben"), grant.pk, reason="x", expected_version=2, at=at)
    assert caught.value.code == "same_officer"
    assert fresh(grant).state == "suspended"
    act(world.actor("olu"), grant.pk, reason="x", expected_version=2, at=at)


def test_a_suspension_is_confirmed_once(world: World, grant: Grant, at: datetime) -> None:
    suspend(world, grant)
    confirm_suspension(world.actor("olu"), grant.pk, reason="logs", expected_version=2, at=at)
    one = Suspension.objects.get(grant=grant)
    assert (one.confirmed_by_name, one.confirmed_at) == ("olu", at)
    with pytest.raises(NotNow, match="already confirmed"):
        confirm_suspension(world.actor("olu"), grant.pk, reason="again", expected_version=3, at=at)


@pytest.mark.parametrize("act", [suspend_grant, lift_suspension])
def test_an_act_without_a_reason_changes_nothing(
    world: World, grant: Grant, at: datetime, act: Callable[..., object]
) -> None:
    if act is lift_suspension:
        suspend(world, grant)
    state, events = fresh(grant).state, AuditEvent.objects.count()
    with pytest.raises(InvalidInput) as caught:
        act(world.actor("olu"), grant.pk, reason=" ", expected_version=fresh(grant).version, at=at)
    assert caught.value.field == "reason"
    assert (fresh(grant).state, AuditEvent.objects.count()) == (state, events)


def test_a_form_that_was_open_while_another_officer_acted_changes_nothing(
    world: World, grant: Grant, at: datetime
) -> None:
    suspend(world, grant)
    lift_suspension(world.actor("olu"), grant.pk, reason="checked", expected_version=2, at=at)
    with pytest.raises(StaleVersion):
        suspend_grant(world.actor("ben"), grant.pk, reason="x", expected_version=1, at=at)
    assert fresh(grant).state == "active"


def test_T6_an_officer_never_decides_on_their_own_grant(world: World, at: datetime) -> None:
    """T6. Seen to fail with the roles left in `relations_of`."""
    terms = GrantTerms((world.size,), ("generate",), "x", at, at + DAY, Limits(10, 10, 10))
    own = create_grant(SWEEPER, world.people["ben"], terms, reason="x", at=at)
    assert relations_of(world.actor("ben"), own) == {"holder"}
    with pytest.raises(NotAllowed):
        suspend(world, own, "ben")
    suspend(world, own, "olu")
    with pytest.raises(NotAllowed):
        lift_suspension(world.actor("ben"), own.pk, reason="x", expected_version=2, at=at)


# --- Time -----------------------------------------------------------------------------------------------------------


def test_an_unconfirmed_suspension_lapses_after_72_hours_and_a_confirmed_one_stays(
    world: World, grant: Grant, at: datetime
) -> None:
    """The suspension of eve is confirmed. Seen to fail with `confirmed_at=None` removed from the query."""
    suspend(world, grant)
    assert lapse_suspensions(SWEEPER, at=at + CONFIRM_WITHIN - timedelta(seconds=1)) == 0
    assert lapse_suspensions(SWEEPER, at=at + CONFIRM_WITHIN) == 1
    assert fresh(grant).state == "active"
    assert fresh(world.grants["eve"]).state == "suspended"
    event = last_event()
    assert (event.kind, event.actor_kind, event.actor_id) == ("grant.suspension_lapsed", "system", "sweeper")
    assert lapse_suspensions(SWEEPER, at=at + 2 * CONFIRM_WITHIN) == 0, "once"


def test_a_grant_that_had_not_started_goes_back_to_that(world: World, at: datetime) -> None:
    terms = GrantTerms((world.size,), ("generate",), "x", at + DAY, at + 9 * DAY, Limits(10, 10, 10))
    later = create_grant(SWEEPER, world.people["finn"], terms, reason="x", at=at)
    assert later.state == "scheduled"
    suspend(world, later)
    lift_suspension(world.actor("olu"), later.pk, reason="x", expected_version=2, at=at)
    assert fresh(later).state == "scheduled"


def test_T9_an_end_holds_with_the_sweeper_off_and_is_written_once_when_it_runs(
    world: World, grant: Grant, at: datetime
) -> None:
    end = grant.ends_at
    cleo = world.actor("cleo")
    assert size_for(cleo, SERVED, Action.GENERATE, at=end - timedelta(seconds=1))
    with pytest.raises(NotAllowed) as caught:
        size_for(cleo, SERVED, Action.GENERATE, at=end)
    assert caught.value.code == "grant_expired"
    assert fresh(grant).state == "active", "nobody has swept"

    before = epoch(grant)
    assert expire_grants(SWEEPER, at=end) >= 1
    assert expire_grants(SWEEPER, at=end) == 0
    assert (fresh(grant).state, epoch(grant)) == ("expired", before + 1)
    assert AuditEvent.objects.filter(kind="grant.expired", subject=f"grant:{grant.pk}").count() == 1


def test_a_suspended_grant_whose_end_comes_is_ended_and_its_suspension_with_it(world: World, at: datetime) -> None:
    eve = world.grants["eve"]
    expire_grants(SWEEPER, at=eve.ends_at)
    assert fresh(eve).state == "expired"
    assert not Suspension.objects.filter(grant=eve, ended_at=None).exists()


# --- T3: every command from every state for every relation ----------------------------------------------------------

COMMANDS: dict[str, Callable[[Actor, Grant, datetime], object]] = {
    "suspend": lambda actor, grant, at: suspend_grant(
        actor, grant.pk, reason="x", expected_version=grant.version, at=at
    ),
    "confirm": lambda actor, grant, at: confirm_suspension(
        actor, grant.pk, reason="x", expected_version=grant.version, at=at
    ),
    "lift": lambda actor, grant, at: lift_suspension(
        actor, grant.pk, reason="x", expected_version=grant.version, at=at
    ),
}


def in_state(world: World, state: str) -> Grant:
    """A grant of cleo in that state; a suspension was made by somebody who is not in the cast."""
    grant = world.grants["cleo"]
    Suspension.objects.filter(grant=grant).delete()
    Grant.objects.filter(pk=grant.pk).update(state=state)
    if state == "suspended":
        Suspension.objects.create(
            grant=grant, state_before="active", reason="x", by_id="0", by_name="z", at=world.at - CONFIRM_WITHIN
        )
    return fresh(grant)


@pytest.mark.parametrize("name", EVERYONE)
def test_T3_each_command_from_each_state_for_each_person_equals_the_published_table(world: World, name: str) -> None:
    from django.db import transaction

    actor = world.actor(name)
    for verb, give in COMMANDS.items():
        for state in GRANT.states:
            with transaction.atomic():
                grant = in_state(world, state)
                expected = GRANT.decide(verb, state, relations_of(actor, grant))
                try:
                    give(actor, grant, world.at)
                    outcome = "allowed"
                except NotAllowed:
                    outcome = "may_not"
                except NotNow:
                    outcome = "not_now"
                after = fresh(grant).state
                transaction.set_rollback(True)
            assert outcome == ("allowed" if expected else str(expected.refusal)), (verb, state)
            if expected:
                assert after == (GRANT.command(verb).target or state)
            else:
                assert after == state


def test_T3_the_commands_of_the_system_take_only_what_the_table_names(world: World, at: datetime) -> None:
    from django.db import transaction

    sweeps = {"lapse": lapse_suspensions, "expire": expire_grants}
    for verb, sweep in sweeps.items():
        for state in GRANT.states:
            with transaction.atomic():
                grant = in_state(world, state)
                when = at if verb == "lapse" else grant.ends_at
                sweep(SWEEPER, at=when)
                after = fresh(grant).state
                transaction.set_rollback(True)
            is_allowed = state in GRANT.command(verb).sources
            assert after == (GRANT.command(verb).target if is_allowed else state), (verb, state)


@pytest.mark.parametrize("name", ["ben", "ada", "cleo"])
def test_T26_people_do_not_give_the_commands_of_the_system(world: World, name: str) -> None:
    with pytest.raises(NotAllowed):
        expire_grants(world.actor(name), at=world.grants["cleo"].ends_at)
    assert fresh(world.grants["cleo"]).state == "active"


# --- Creating and seeing --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"sizes": ()}, "sizes"),
        ({"functions": ()}, "functions"),
        ({"days": 0}, "ends_at"),
        ({"days": -1}, "ends_at"),
        ({"days": LONGEST_DAYS + 1}, "ends_at"),
        ({"days": 365_000}, "ends_at"),
    ],
)
def test_T10_terms_that_cannot_be_are_refused(
    world: World, at: datetime, changes: dict[str, object], field: str
) -> None:
    """No null, no 0 that means for ever, no end before the start."""
    days = changes.pop("days", 30)
    assert isinstance(days, int)
    values = {"sizes": (world.size,), "functions": ("generate",), **changes}
    terms = GrantTerms(
        purpose="x",
        starts_at=at,
        ends_at=at + days * DAY,
        limits=Limits(10, 10, 10),
        **values,  # type: ignore[arg-type]
    )
    before = Grant.objects.count()
    with pytest.raises(InvalidInput) as caught:
        create_grant(SWEEPER, world.people["finn"], terms, reason="x", at=at)
    assert caught.value.field == field
    assert Grant.objects.count() == before


def test_holders_see_their_own_grants_staff_see_all_and_others_none(world: World) -> None:
    for name in EVERYONE:
        seen = {grant.holder.username for grant in grants_for(world.actor(name))}
        own = {name} & {"cleo", "dan", "eve"}
        is_staff = name in ("ada", "jo", "ben", "ivy", "hal", "kim", "olu")
        assert seen == ({"cleo", "dan", "eve"} if is_staff else own), name
        for holder, grant in world.grants.items():
            if holder in seen:
                assert grant_for(world.actor(name), grant.pk) == grant
            else:
                with pytest.raises(NotFound):
                    grant_for(world.actor(name), grant.pk)
