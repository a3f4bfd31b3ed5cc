"""Roll-backs: at once by one person, confirmed by another, else lapsed to exactly what people had granted."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from release_portal.audit.models import AuditEvent
from release_portal.core.actors import system_actor
from release_portal.core.errors import NotAllowed, NotFound, NotNow, StaleVersion
from release_portal.epochs.services import numbers_of, size_key
from release_portal.registry.models import ModelSize
from release_portal.releases.ladder import LADDER
from release_portal.releases.models import Freeze, Hold, Narrowing, PolicyVersion, Proposal, Standing
from release_portal.releases.narrowings import confirm_narrowing, lapse_narrowings, roll_back
from tests.world import SERVED, World, put_at_stage

SWEEPER = system_actor("sweeper")
HOUR = timedelta(hours=1)
SLUGS = [stage.slug for stage in LADDER]
OFFICERS = ("ben", "olu", "ada", "jo")


def standing(world: World) -> Standing:
    return Standing.objects.get(size=world.size)


def narrowed(world: World, name: str, target: str, at: datetime | None = None) -> Narrowing:
    version = standing(world).version
    return roll_back(
        world.actor(name), world.size, target, reason="Odd output.", expected_version=version, at=at or world.at
    )


def confirmed(world: World, name: str, narrowing: Narrowing, at: datetime | None = None) -> Narrowing:
    version = Narrowing.objects.get(pk=narrowing.pk).version
    return confirm_narrowing(
        world.actor(name), narrowing.pk, reason="Seen.", expected_version=version, at=at or world.at
    )


def proposal(world: World, target: str, state: str) -> Proposal:
    policy, _ = PolicyVersion.objects.get_or_create(
        digest="d" * 64,
        defaults={"name": "tests", "version": 1, "title": "x", "text": "", "stored_at": world.at, "stored_by": "x"},
    )
    return Proposal.objects.create(
        size=world.size, source="partner", target=target, policy=policy, state=state, rationale="x",
        opened_by_id="1", opened_by="ada", opened_at=world.at,
    )  # fmt: skip


def test_one_person_narrows_at_once_while_what_was_granted_is_kept(world: World) -> None:
    narrowing = narrowed(world, "ben", "partner")
    now = standing(world)
    assert (now.stage, now.granted) == ("partner", "research_hosted")
    assert (narrowing.source, narrowing.target, narrowing.state) == ("research_hosted", "partner", "raised")
    assert narrowing.lapses_at == world.at + 72 * HOUR


def test_neither_hold_nor_freeze_nor_open_proposal_nor_the_end_of_observation_stands_in_the_way(world: World) -> None:
    """Invariant 5. Seen to fail with a check of holds put into `roll_back`."""
    Hold.objects.create(size=world.size, reason="x", raised_by="x", raised_at=world.at)
    Hold.objects.create(size=world.size, level="R5", stops_use=True, reason="x", raised_by="x", raised_at=world.at)
    Freeze.objects.create(
        starts_at=world.at - HOUR, ends_at=world.at + HOUR, reason="x", raised_by_id="1", raised_by="x",
        raised_at=world.at,
    )  # fmt: skip
    proposal(world, "public_hosted", "in_review")
    proposal(world, "research_hosted", "completed")
    narrowed(world, "olu", "disclosed")
    assert standing(world).stage == "disclosed"


def test_another_person_confirms_and_then_it_never_lapses(world: World) -> None:
    narrowing = narrowed(world, "ben", "partner")
    with pytest.raises(NotAllowed):
        confirmed(world, "ben", narrowing)
    with pytest.raises(NotAllowed):
        confirmed(world, "ivy", narrowing)
    done = confirmed(world, "olu", narrowing)
    assert (done.state, done.confirmed_by, done.lapses_at) == ("confirmed", "olu", None)
    assert (standing(world).stage, standing(world).granted) == ("partner", "partner")
    assert lapse_narrowings(SWEEPER, at=world.at + 999 * HOUR) == 0
    with pytest.raises(NotNow):
        confirmed(world, "ada", narrowing)


def test_the_database_itself_refuses_one_person_for_both(world: World) -> None:
    narrowing = narrowed(world, "ben", "partner")
    with pytest.raises(IntegrityError), transaction.atomic():
        Narrowing.objects.filter(pk=narrowing.pk).update(confirmed_by_id=narrowing.raised_by_id)


def test_a_form_that_saw_an_older_roll_back_and_an_unknown_one_are_refused(world: World) -> None:
    narrowing = narrowed(world, "ben", "partner")
    with pytest.raises(StaleVersion):
        confirm_narrowing(world.actor("olu"), narrowing.pk, reason="", expected_version=9, at=world.at)
    with pytest.raises(NotFound):
        confirm_narrowing(world.actor("olu"), 10**6, reason="", expected_version=1, at=world.at)


def test_an_unconfirmed_roll_back_lapses_after_72_hours_and_gives_back_what_was_granted(world: World) -> None:
    narrowed(world, "ben", "disclosed")
    before = numbers_of([size_key(SERVED)])
    assert lapse_narrowings(SWEEPER, at=world.at + 71 * HOUR) == 0
    assert standing(world).stage == "disclosed"
    assert lapse_narrowings(SWEEPER, at=world.at + 72 * HOUR) == 1
    assert lapse_narrowings(SWEEPER, at=world.at + 72 * HOUR) == 0
    assert (standing(world).stage, standing(world).granted) == ("research_hosted", "research_hosted")
    assert numbers_of([size_key(SERVED)]) == before
    event = AuditEvent.objects.filter(subject=f"size:{SERVED}").public().last()
    assert event is not None
    assert (event.kind, event.actor_name, event.data["to"]) == (
        "narrowing.lapsed",
        "system: sweeper",
        "research_hosted",
    )


def test_of_two_roll_backs_the_confirmed_one_stays(world: World) -> None:
    first = narrowed(world, "ben", "partner")
    narrowed(world, "olu", "disclosed", world.at + HOUR)
    confirmed(world, "ada", first, world.at + 2 * HOUR)
    assert (standing(world).stage, standing(world).granted) == ("disclosed", "partner")
    lapse_narrowings(SWEEPER, at=world.at + 73 * HOUR)
    assert (standing(world).stage, standing(world).granted) == ("partner", "partner")


def test_the_older_of_two_roll_backs_lapses_and_the_size_stays_where_the_younger_put_it(world: World) -> None:
    """Seen to fail with a lapse that returns to the source of the narrowing."""
    narrowed(world, "ben", "partner")
    narrowed(world, "olu", "disclosed", world.at + HOUR)
    assert lapse_narrowings(SWEEPER, at=world.at + 72 * HOUR) == 1
    assert standing(world).stage == "disclosed"
    assert lapse_narrowings(SWEEPER, at=world.at + 73 * HOUR) == 1
    assert standing(world).stage == "research_hosted"


def test_no_person_lapses_a_roll_back_by_calling_the_sweeper(world: World) -> None:
    narrowed(world, "ben", "partner")
    with pytest.raises(NotAllowed):
        lapse_narrowings(world.actor("ada"), at=world.at + 100 * HOUR)


def test_a_confirmed_roll_back_closes_the_proposals_that_it_undid_and_an_unconfirmed_one_none(world: World) -> None:
    undone, below = proposal(world, "research_hosted", "completed"), proposal(world, "partner", "completed")
    narrowing = narrowed(world, "ben", "partner")
    assert Proposal.objects.get(pk=undone.pk).state == "completed"
    confirmed(world, "olu", narrowing)
    assert Proposal.objects.get(pk=undone.pk).state == "rolled_back"
    assert Proposal.objects.get(pk=below.pk).state == "completed"


acts = st.one_of(
    st.tuples(st.just("narrow"), st.sampled_from(OFFICERS), st.sampled_from(SLUGS)),
    st.tuples(st.just("confirm"), st.sampled_from(OFFICERS), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.integers(1, 80), st.none()),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(start=st.sampled_from(SLUGS[2:]), steps=st.lists(acts, max_size=12))
def test_whatever_happens_the_stage_is_the_narrowest_of_what_is_granted_and_what_waits(
    world: World, start: str, steps: list[tuple[str, object, object]]
) -> None:
    """Nobody widens beyond what was granted, by no order of roll-backs, confirmations and lapses."""
    with transaction.atomic():
        put_at_stage(world.size, start, world.at)
        at, granted = world.at, SLUGS.index(start)
        for name, first, second in steps:
            if name == "wait":
                at += int(str(first)) * HOUR
                lapse_narrowings(SWEEPER, at=at)
            elif name == "narrow" and SLUGS.index(str(second)) < SLUGS.index(standing(world).stage):
                narrowed(world, str(first), str(second), at)
            elif name == "confirm":
                granted = min(granted, _confirm_some(world, str(first), int(str(second)), at))
            waiting = Narrowing.objects.unconfirmed().filter(size=world.size).values_list("target", flat=True)
            now = standing(world)
            assert now.granted == SLUGS[granted]
            assert SLUGS.index(now.stage) == min([granted, *map(SLUGS.index, waiting)])
        lapse_narrowings(SWEEPER, at=at + 80 * HOUR)
        assert standing(world).stage == SLUGS[granted]
        transaction.set_rollback(True)


def _confirm_some(world: World, name: str, number: int, at: datetime) -> int:
    """Confirm one of those that wait, when somebody else raised it; return the stage that is granted by it."""
    waiting = list(Narrowing.objects.unconfirmed().filter(size=world.size))
    if not waiting:
        return len(SLUGS)
    chosen = waiting[number % len(waiting)]
    if chosen.raised_by == name:
        return len(SLUGS)
    confirmed(world, name, chosen, at)
    return SLUGS.index(chosen.target)


def test_a_roll_back_of_one_size_leaves_the_others_alone(world: World) -> None:
    others = ModelSize.objects.exclude(pk=world.size.pk)
    before = dict(others.values_list("slug", "standing__version"))
    narrowed(world, "ben", "partner")
    assert dict(others.values_list("slug", "standing__version")) == before
