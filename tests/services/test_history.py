"""Where a size stood then, from its events alone; and that they agree with the rows of today."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from release_portal.core.actors import system_actor
from release_portal.registry.models import ModelSize
from release_portal.releases.history import StandingThen, board_as_of, standing_as_of
from release_portal.releases.hold_services import lapse_holds, raise_hold, release_hold
from release_portal.releases.models import Hold, Proposal, Standing
from release_portal.releases.narrowings import confirm_narrowing, lapse_narrowings, roll_back
from release_portal.releases.observations import observe_proposals
from release_portal.releases.proposals import abort_proposal
from release_portal.releases.withdrawals import FIELDS, confirm_withdrawal, withdraw
from tests.governance import DAY, HOUR, adopt, advance, fresh, propose, small_policy
from tests.world import SERVED, World

SWEEPER = system_actor("sweeper")
SECOND = timedelta(seconds=1)


def size_now(world: World) -> ModelSize:
    return ModelSize.objects.select_related("standing", "family").get(pk=world.size.pk)


def down(world: World, target: str, *, at: datetime) -> int:
    size = size_now(world)
    return roll_back(
        world.actor("ben"), size, target, reason="Odd output.", expected_version=size.standing.version, at=at
    ).pk


def agrees(at: datetime) -> StandingThen:
    """Compare what the record tells with the rows, for every size; return it for the served one."""
    sizes = list(ModelSize.objects.select_related("standing"))
    board = board_as_of(sizes, at)
    for size in sizes:
        then = board[size.pk]
        assert (then.stage, then.since, then.ending) == (size.standing.stage, size.standing.since, size.standing.ending)
        assert then.holds == dict(Hold.objects.open().filter(size=size).values_list("pk", "level"))
        assert then.proposals == dict(Proposal.objects.filter(size=size).values_list("pk", "state"))
        assert then == standing_as_of(size.slug, at)
    return board[ModelSize.objects.get(slug=SERVED).pk]


# --- The catalogue ---------------------------------------------------------------------------------------------------


def test_the_record_agrees_with_the_catalogue_as_it_was_loaded(world: World) -> None:
    agrees(world.at)


def test_a_first_standing_counts_from_when_the_public_record_says(world: World) -> None:
    """Seen to fail with `_reached` returning the time of the event."""
    known = Standing.objects.filter(since__lt=world.at - 300 * DAY).select_related("size").order_by("since")
    assert known.exists(), "the catalogue knows of openings years ago"
    first = known[0]
    assert standing_as_of(first.size.slug, first.since - SECOND) == StandingThen()
    for at in (first.since, first.since + 99 * DAY, world.at):
        then = standing_as_of(first.size.slug, at)
        assert (then.stage, then.since) == (first.stage, first.since)


def test_a_size_that_the_record_does_not_know_stood_nowhere(world: World) -> None:
    assert standing_as_of("nobody/nothing", world.at) == StandingThen()
    assert board_as_of([], world.at) == {}


# --- A life ----------------------------------------------------------------------------------------------------------


def test_the_record_tells_each_moment_of_a_life_and_agrees_with_the_rows_after_each(world: World) -> None:
    """Invariant 4. Seen to fail with the event of `lapse_narrowings` left out, and with that of `lapse_holds`."""
    adopt(world, small_policy())
    at = world.at
    before = standing_as_of(SERVED, at - SECOND)
    proposal = advance(world, world.size, "public_hosted", at=at)
    moved = at + DAY
    agrees(moved)

    held = raise_hold(world.actor("ben"), world.size, reason="Odd output.", level="R5", at=moved + HOUR)
    agrees(moved + HOUR)
    lapse_holds(SWEEPER, at=moved + 4 * DAY)
    assert agrees(moved + 4 * DAY).holds == {}

    narrowed = moved + 5 * DAY
    down(world, "partner", at=narrowed)
    agrees(narrowed)
    lapsed = narrowed + 3 * DAY
    lapse_narrowings(SWEEPER, at=lapsed)
    assert agrees(lapsed).stage == "public_hosted"

    final = lapsed + DAY
    confirm_narrowing(
        world.actor("olu"), down(world, "disclosed", at=final), reason="Seen.", expected_version=1, at=final
    )
    assert agrees(final).proposals == {proposal.pk: "rolled_back"}

    assert before.proposals == {}
    assert standing_as_of(SERVED, at + HOUR).proposals == {proposal.pk: "cooling"}
    assert standing_as_of(SERVED, at + HOUR).stage == "research_hosted"
    assert standing_as_of(SERVED, moved).stage == "public_hosted"
    assert standing_as_of(SERVED, moved).since == moved
    assert standing_as_of(SERVED, moved + 2 * HOUR).holds == {held.pk: "R5"}
    assert (standing_as_of(SERVED, narrowed + DAY).stage, standing_as_of(SERVED, narrowed + DAY).since) == (
        "partner",
        narrowed,
    )
    assert standing_as_of(SERVED, lapsed + HOUR).since == lapsed


def test_a_hold_that_was_released_was_open_in_between(world: World) -> None:
    at = world.at
    one = raise_hold(world.actor("ben"), world.size, reason="Odd output.", at=at)
    release_hold(world.actor("olu"), one.pk, reason="Looked at it.", at=at + DAY)
    assert standing_as_of(SERVED, at - SECOND).holds == {}
    assert standing_as_of(SERVED, at).holds == {one.pk: "hold"}
    assert agrees(at + DAY).holds == {}


def test_proposals_that_ended_in_any_way_are_told(world: World) -> None:
    adopt(world, small_policy(soak=0))
    completed = advance(world, world.size, "public_hosted", at=world.at)
    observe_proposals(SWEEPER, at=world.at + DAY)
    aborted = propose(world, size_now(world), "research_weights", at=world.at + 2 * DAY)
    abort_proposal(
        world.actor("jo"), aborted.pk, reason="No.", expected_version=fresh(aborted).version, at=world.at + 2 * DAY
    )
    assert agrees(world.at + 2 * DAY).proposals == {completed.pk: "completed", aborted.pk: "aborted"}


def test_a_withdrawn_size_is_told_as_such_and_not_before(world: World) -> None:
    size, at = size_now(world), world.at
    tombstone = dict.fromkeys(FIELDS, "Said in words.")
    withdraw(
        world.actor("ben"), size, tombstone=tombstone, typed="withdraw", confirmed_at=at,
        expected_version=size.standing.version, at=at,
    )  # fmt: skip
    assert agrees(at).ending == ""
    version = Standing.objects.get(size=size).version
    confirm_withdrawal(world.actor("olu"), size, confirmed_at=at + HOUR, expected_version=version, at=at + HOUR)
    assert agrees(at + HOUR).ending == "withdrawn"


@pytest.mark.parametrize("count", [1, 12])
def test_the_board_of_any_size_is_one_query(world: World, count: int) -> None:
    sizes = list(ModelSize.objects.all()[:count])
    assert len(sizes) == count
    with CaptureQueriesContext(connection) as queries:
        board_as_of(sizes, world.at)
    assert len(queries) == 1
