"""The fold of the record: events of one size in the order of the chain give where it stood at any time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.releases.history import StandingThen, fold

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def event(kind: str, day: float, **data: Any) -> dict[str, Any]:
    return {"kind": kind, "at": BEGIN + day * DAY, "data": data}


def then(events: list[dict[str, Any]], day: float) -> StandingThen:
    return fold(events, BEGIN + day * DAY)


LIFE = [
    event("stage.set", 1, to="disclosed"),
    event("proposal.opened", 2, proposal=4, state="draft"),
    event("proposal.executing", 3, proposal=4, state="executing"),
    event("stage.advanced", 3, **{"from": "disclosed", "to": "partner"}),
    event("proposal.observing", 3, proposal=4, state="observing"),
    event("hold.raised", 5, hold=9, level="hold"),
    event("stage.rolled_back", 6, to="disclosed"),
    event("narrowing.lapsed", 9, to="partner"),
    event("hold.released", 10, hold=9),
    event("size.withdrawn", 12, to="registered"),
]


def test_before_the_first_event_a_size_stands_nowhere() -> None:
    assert then([], 5) == StandingThen()
    assert then(LIFE, 0.99) == StandingThen()
    assert StandingThen().place is None


@pytest.mark.parametrize(
    ("day", "stage", "since"),
    [
        (1, "disclosed", 1),
        (2.99, "disclosed", 1),
        (3, "partner", 3),
        (5.99, "partner", 3),
        (6, "disclosed", 6),
        (8.99, "disclosed", 6),
        (9, "partner", 9),
        (100, "partner", 9),
    ],
)
def test_each_stage_counts_from_its_event_to_the_moment(day: float, stage: str, since: int) -> None:
    found = then(LIFE, day)
    assert (found.stage, found.since) == (stage, BEGIN + since * DAY)
    assert found.place is not None
    assert found.place.slug == stage


def test_holds_and_proposals_are_as_they_were_then() -> None:
    assert (then(LIFE, 2).proposals, then(LIFE, 2).holds) == ({4: "draft"}, {})
    assert (then(LIFE, 5).proposals, then(LIFE, 5).holds) == ({4: "observing"}, {9: "hold"})
    assert then(LIFE, 10).holds == {}


def test_a_withdrawn_size_stays_where_it_was_and_is_ended() -> None:
    assert then(LIFE, 11).ending == ""
    assert then(LIFE, 12).ending == "withdrawn"


def test_the_number_of_events_that_were_read_is_told() -> None:
    assert [then(LIFE, day).events for day in (0, 1, 3, 100)] == [0, 1, 5, len(LIFE)]


def test_the_first_standing_counts_from_when_the_public_record_says() -> None:
    since = BEGIN - 300 * DAY
    events = [event("stage.set", 1, to="open_weights", since=since.isoformat())]
    assert fold(events, since - timedelta(seconds=1)).stage == ""
    assert (fold(events, since).stage, fold(events, since).since) == ("open_weights", since)
    assert then(events, 5).since == since


def test_a_first_standing_in_the_future_counts_from_its_event() -> None:
    events = [event("stage.set", 1, to="partner", since=(BEGIN + 9 * DAY).isoformat())]
    assert then(events, 1).since == BEGIN + DAY


def test_an_event_that_leaves_the_stage_as_it_is_does_not_begin_it_anew() -> None:
    events = [*LIFE[:4], event("narrowing.confirmed", 20, to="partner"), event("narrowing.confirmed", 21, granted="x")]
    assert then(events, 30).since == BEGIN + 3 * DAY


@pytest.mark.parametrize(
    ("data", "level"),
    [({"level": "R3"}, "R3"), ({"level": "hold"}, "hold"), ({"stops_use": True}, "R5"), ({"stops_use": False}, "hold")],
)
def test_holds_of_every_age_of_the_record_have_a_level(data: dict[str, Any], level: str) -> None:
    assert then([event("hold.raised", 1, hold=3, **data)], 2).holds == {3: level}


def test_a_released_hold_leaves_the_others_and_one_that_is_not_there_changes_nothing() -> None:
    events = [event("hold.raised", 1, hold=1, level="hold"), event("hold.raised", 1, hold=2, level="R5")]
    assert then([*events, event("hold.lapsed", 2, hold=2)], 3).holds == {1: "hold"}
    assert then([*events, event("hold.released", 2, hold=7)], 3).holds == {1: "hold", 2: "R5"}


def test_where_two_events_bear_the_same_time_the_later_in_the_chain_counts() -> None:
    events = [event("stage.set", 1, to="disclosed"), event("stage.advanced", 1, to="partner")]
    assert then(events, 1).stage == "partner"


@given(st.lists(st.integers(0, 20), min_size=len(LIFE), max_size=len(LIFE)), st.integers(0, 20))
def test_a_fold_up_to_a_time_is_the_fold_of_what_had_happened_by_then(days: list[int], day: int) -> None:
    """The state is a function of the events up to then; what came later says nothing."""
    events = [{**one, "at": BEGIN + number * DAY} for one, number in zip(LIFE, sorted(days), strict=True)]
    at = BEGIN + day * DAY
    assert fold(events, at) == fold([one for one in events if one["at"] <= at], BEGIN + 99 * DAY)


@given(st.integers(0, 20))
def test_folding_twice_gives_the_same_and_leaves_the_events_alone(day: int) -> None:
    before = [dict(one) for one in LIFE]
    assert then(LIFE, day) == then(LIFE, day)
    assert before == LIFE
