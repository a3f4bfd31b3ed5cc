"""Versions of the agreement, and how a signature stands under them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.agreements.rules import (
    AGREEMENT,
    GRACE,
    Standing,
    VersionFacts,
    decide_version,
    pause_of,
    signature_at,
    state_of,
)
from release_portal.core.actors import Actor, ActorKind, system_actor

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
FIRST = VersionFacts(1, START, True)
MINOR = VersionFacts(2, START + 10 * DAY, False)
THIRD = VersionFacts(3, START + 100 * DAY, True)
FOURTH = VersionFacts(4, START + 120 * DAY, True)
ALL = (FIRST, MINOR, THIRD, FOURTH)


@pytest.mark.parametrize(
    ("signed", "day", "standing", "number"),
    [
        ((), -1, Standing.NOTHING_TO_SIGN, 0),
        ((), 0, Standing.STALE, 1),
        ((), 29, Standing.STALE, 2),
        ((), 30, Standing.LAPSED, 2),
        ((1,), 5, Standing.SIGNED, 1),
        ((1,), 10, Standing.SIGNED, 2),  # a minor version asks for nothing
        ((1,), 100, Standing.STALE, 3),
        ((1,), 129, Standing.STALE, 4),  # grace runs from the first that was missed
        ((1,), 130, Standing.LAPSED, 4),
        ((2,), 100, Standing.STALE, 3),
        ((3,), 130, Standing.STALE, 4),
        ((3,), 150, Standing.LAPSED, 4),
        ((1, 4), 400, Standing.SIGNED, 4),
    ],
)
def test_how_a_signature_stands(signed: tuple[int, ...], day: int, standing: Standing, number: int) -> None:
    found = signature_at(ALL, signed, START + day * DAY)
    assert (found.standing, found.number) == (standing, number)


def test_T9_grace_ends_at_its_second_though_nobody_writes_it() -> None:
    """Seen to fail with `<=` for `<`."""
    end = START + 100 * DAY + GRACE
    assert signature_at(ALL[:3], (1,), end - SECOND).standing is Standing.STALE
    assert signature_at(ALL[:3], (1,), end).standing is Standing.LAPSED


def test_only_a_lapse_rests_a_grant_and_it_says_what_to_sign() -> None:
    assert pause_of(signature_at(ALL, (1,), START + 110 * DAY)) is None
    pause = pause_of(signature_at(ALL, (1,), START + 130 * DAY))
    assert pause is not None
    assert pause.code == "terms_lapsed"
    assert "version 4" in pause.change
    assert "11 April 2026" in pause.reason


@given(
    days=st.lists(st.integers(0, 300), min_size=1, max_size=5),
    material=st.lists(st.booleans(), min_size=5, max_size=5),
    signed=st.sets(st.integers(1, 5)),
    day=st.integers(-10, 400),
)
def test_signing_the_version_in_force_is_always_enough(
    days: list[int], material: list[bool], signed: set[int], day: int
) -> None:
    versions = [
        VersionFacts(number, START + start * DAY, material[number - 1]) for number, start in enumerate(sorted(days), 1)
    ]
    at = START + day * DAY
    before = signature_at(versions, signed, at)
    after = signature_at(versions, signed | {before.number}, at)
    assert after.standing in (Standing.SIGNED, Standing.NOTHING_TO_SIGN)
    assert pause_of(after) is None


def test_the_state_of_a_version_follows_from_its_day() -> None:
    def state(day: int, **more: bool) -> str:
        given = {"is_newest": True, "is_retired": False} | more
        return state_of(START, at=START + day * DAY, **given)

    assert [state(-1), state(0), state(0, is_newest=False), state(-1, is_retired=True)] == [
        "scheduled", "effective", "superseded", "retired",
    ]  # fmt: skip


def test_T3_who_may_do_what_with_a_version() -> None:
    """Every command from every state for every role; a token has none, the writer does not approve."""
    allowed = {
        ("write", "new"), ("save", "draft"), ("schedule", "draft"), ("retire", "draft"), ("retire", "scheduled"),
    }  # fmt: skip
    ours = {one.name for one in AGREEMENT.commands} - {"take_effect", "supersede"}
    for role in ("access_lead", "administrator", "safety_reviewer", "duty_officer", "board"):
        actor = Actor(ActorKind.USER, "7", "x", frozenset({role}))
        found = {(name, state) for name in ours for state in AGREEMENT.states if decide_version(actor, name, state)}
        assert found == (allowed if role in ("access_lead", "administrator") else set())
        token = Actor(ActorKind.USER, "7", "x", frozenset({role}), frozenset({"applications:write"}))
        assert not any(decide_version(token, name, state) for name in ours for state in AGREEMENT.states)
        assert not decide_version(actor, "schedule", "draft", editors=["3", "7"])
    assert decide_version(system_actor("x"), "take_effect", "scheduled")
