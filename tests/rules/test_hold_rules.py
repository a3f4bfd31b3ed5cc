"""Holds: who may hold a size, stop its use, confirm that and release it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from release_portal.core.actors import ANONYMOUS, Actor, ActorKind, system_actor
from release_portal.core.decisions import Refusal
from release_portal.releases.hold_rules import (
    CONFIRM_STOP_WITHIN,
    CONFIRMED,
    HOLD,
    LEVELS,
    RAISED,
    RELEASED,
    HoldFacts,
    Restriction,
    are_holds_business,
    is_lapsed,
    may_confirm,
    may_raise,
    may_release,
)

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
RULE = system_actor("misuse rule")


def person(number: int, *roles: str) -> Actor:
    return Actor(ActorKind.USER, str(number), f"person {number}", frozenset(roles))


OFFICER, OTHER, REVIEWER = person(1, "duty_officer"), person(2, "duty_officer"), person(3, "safety_reviewer")
MANAGER, STRANGER = person(4, "release_manager"), person(5, "access_lead", "operator", "board")
STOP = HoldFacts(RAISED, "R5", "1", AT)
PLAIN = HoldFacts(RAISED, "hold", "1", AT)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("actor", [OFFICER, REVIEWER])
def test_one_officer_is_enough_to_hold_or_to_stop(actor: Actor, level: str) -> None:
    assert may_raise(actor, [], level=level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("actor", [MANAGER, STRANGER, ANONYMOUS, replace(OFFICER, scopes=frozenset({"generate"}))])
def test_nobody_else_raises_a_hold_and_no_token_does(actor: Actor, level: str) -> None:
    assert may_raise(actor, [], level=level).refusal is Refusal.MAY_NOT


def test_terms_say_what_a_restriction_takes_away() -> None:
    assert Restriction("R1", percent=25).terms == "every quota at 25 %"
    assert Restriction("R2", functions=frozenset({"weights", "detect"})).terms == "off: detect, weights"
    assert Restriction("R3", cohort="public").terms == "no use by the cohort: public"
    assert Restriction("hold").terms == Restriction("R5").terms == ""


def test_a_rule_may_hold_a_size_but_never_stop_its_use() -> None:
    assert may_raise(RULE, [PLAIN], level="hold")
    assert may_raise(RULE, [], level="R5").refusal is Refusal.MAY_NOT


def test_a_second_stop_is_refused_in_favour_of_confirming_the_first() -> None:
    assert may_raise(OTHER, [STOP], level="R5").code == "stopped"
    assert may_raise(OTHER, [STOP], level="hold")


def test_a_double_click_makes_one_hold_while_another_officer_may_add_theirs() -> None:
    assert may_raise(OFFICER, [PLAIN], level="hold").code == "held_by_you"
    assert may_raise(OTHER, [PLAIN], level="hold")


def test_a_stop_is_confirmed_by_another_officer_only() -> None:
    assert may_confirm(OTHER, STOP)
    assert may_confirm(REVIEWER, STOP)
    assert may_confirm(OFFICER, STOP).code == "same_officer"
    assert may_confirm(MANAGER, STOP).refusal is Refusal.MAY_NOT
    assert may_confirm(OTHER, replace(STOP, state=CONFIRMED)).refusal is Refusal.NOT_NOW
    assert may_confirm(OTHER, PLAIN).code == "plain"


@pytest.mark.parametrize("hold", [PLAIN, STOP, replace(STOP, state=CONFIRMED)])
def test_a_hold_is_released_by_another_person_than_its_raiser(hold: HoldFacts) -> None:
    assert may_release(OTHER, hold)
    assert may_release(MANAGER, hold)
    assert may_release(OFFICER, hold).code == "same_officer"
    assert may_release(STRANGER, hold).refusal is Refusal.MAY_NOT
    assert may_release(replace(OTHER, scopes=frozenset()), hold).refusal is Refusal.MAY_NOT
    assert may_release(OTHER, replace(hold, state=RELEASED)).refusal is Refusal.NOT_NOW


def test_a_raiser_who_is_a_release_manager_too_still_needs_another_person() -> None:
    both = person(1, "duty_officer", "release_manager")
    assert may_release(both, PLAIN).code == "same_officer"


def test_a_hold_of_a_case_ends_with_its_case_and_with_no_other() -> None:
    held = HoldFacts(RAISED, "hold", RULE.id, AT, case="report:7")
    assert may_release(OTHER, held).code == "case"
    assert may_release(OTHER, held, case="report:8").code == "case"
    assert may_release(OTHER, held, case="report:7")


def test_a_stop_lapses_after_72_hours_unless_confirmed_and_a_plain_hold_never() -> None:
    end = AT + CONFIRM_STOP_WITHIN
    assert timedelta(hours=72) == CONFIRM_STOP_WITHIN
    assert not is_lapsed(STOP, end - timedelta(seconds=1))
    assert is_lapsed(STOP, end)
    assert not is_lapsed(replace(STOP, state=CONFIRMED), end)
    assert not is_lapsed(PLAIN, end + timedelta(days=400))


def test_only_the_system_lapses_a_hold() -> None:
    assert HOLD.decide("lapse", RAISED, {"system"})
    assert not HOLD.decide("lapse", RAISED, {"duty_officer", "release_manager"})
    assert HOLD.decide("lapse", CONFIRMED, {"system"}).refusal is Refusal.NOT_NOW


def test_holds_are_the_business_of_officers_always_and_of_managers_when_there_are_some() -> None:
    assert are_holds_business(OFFICER, [])
    assert not are_holds_business(MANAGER, [])
    assert are_holds_business(MANAGER, [PLAIN])
    assert not are_holds_business(STRANGER, [PLAIN, STOP])
    assert not are_holds_business(ANONYMOUS, [PLAIN, STOP])
