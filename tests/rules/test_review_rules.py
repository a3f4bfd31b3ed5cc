"""Reviewing: the tier with its trace, voices, leases, and who belongs to the applicant's lab."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.application_rules import Answers, due_after
from release_portal.access.conditions import Conditions, narrowest
from release_portal.access.purposes import PURPOSES
from release_portal.access.quota import Limits
from release_portal.access.review_rules import (
    LEASE,
    VERDICTS,
    Interests,
    Lease,
    may_vote,
    no_interest,
    not_taken,
    outcome,
    shared_lab,
)
from release_portal.access.risk_rules import RISKY_PURPOSES, RiskFacts, risk_of
from release_portal.core.decisions import Refusal
from release_portal.core.workdays import add_working_time, working_days

TODAY = date(2026, 3, 4)
AT = datetime(2026, 3, 4, 10, tzinfo=UTC)
STAGES = ("partner", "research_hosted", "research_weights")


def facts(stage: str = "research_hosted", days: int = 100, **changes: Any) -> RiskFacts:
    given_answers = {"purpose_code": "P01", "functions": ("detect",), "requested_end": TODAY + timedelta(days=days)}
    sizes = {name: changes.pop(name) for name in ("parameters", "largest_open", "named", "seats") if name in changes}
    sizes = {"parameters": 100, "largest_open": 0} | sizes
    return RiskFacts(stage=stage, answers=Answers(**(given_answers | changes)), today=TODAY, **sizes)


# --- The tier --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "tier"),
    [
        (facts(), 0),
        (facts(functions=("generate", "detect")), 1),
        (facts(days=181), 1),
        (facts(parameters=101, largest_open=100), 1),
        (facts(parameters=1_001, largest_open=100), 2),
        (facts(purpose_code="P05"), 2),
        (facts(stage="partner"), 2),
        (facts(named=1), 1),
        (facts(seats=2), 1),
        (facts(seats=25), 1),
        (facts(seats=26), 2),
        (facts(seats=26, purpose_code="P05"), 3),
        (facts(stage="research_weights", functions=("weights",)), 2),
        (facts(stage="research_weights", functions=("weights",), purpose_code="P06"), 3),
        (facts(stage="partner", functions=("generate",), purpose_code="P04"), 3),
    ],
)
def test_the_tier_is_that_of_the_highest_line_and_two_high_lines_are_more(asked: RiskFacts, tier: int) -> None:
    assert risk_of(asked).tier == tier


@given(
    stage=st.sampled_from(STAGES),
    purpose=st.sampled_from(["", *PURPOSES]),
    functions=st.sets(st.sampled_from(["generate", "detect", "weights"])),
    days=st.integers(-10, 400),
    parameters=st.integers(1, 10**12),
    largest=st.integers(0, 10**12),
    named=st.integers(0, 10),
    seats=st.integers(0, 200),
)
def test_every_application_has_a_tier_that_its_lines_explain(
    stage: str, purpose: str, functions: set[str], days: int, parameters: int, largest: int, named: int, seats: int
) -> None:
    asked = facts(
        stage,
        days,
        purpose_code=purpose,
        functions=tuple(functions),
        parameters=parameters,
        largest_open=largest,
        named=named,
        seats=seats,
    )
    risk = risk_of(asked)
    assert 0 <= risk.tier <= 3
    assert [one.code for one in risk.signals] == ["kind", "functions", "purpose", "size", "length", "people"]
    assert all(one.sentence.endswith(".") for one in risk.signals)
    assert risk.tier in {max(one.tier for one in risk.signals), 3}


def test_the_risky_purposes_are_purposes() -> None:
    assert set(PURPOSES) >= RISKY_PURPOSES


def test_more_care_may_take_longer() -> None:
    assert [due_after(AT, tier) for tier in range(4)] == [
        add_working_time(AT, working_days(days)) for days in (5, 5, 10, 20)
    ]


# --- Voices ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        ([], "second_review"),
        (["approve"], "second_review"),
        (["refuse"], "second_review"),
        (["approve", "refuse"], "second_review"),
        (["approve", "approve"], "granted"),
        (["refuse", "refuse"], "refused"),
        (["approve", "refuse", "approve"], "granted"),
        (["refuse", "approve", "refuse"], "refused"),
    ],
)
def test_T7_two_that_agree_decide_and_a_third_when_they_do_not(verdicts: list[str], state: str) -> None:
    assert outcome(verdicts) == state


@given(st.lists(st.sampled_from(VERDICTS), max_size=1))
def test_T7_one_voice_decides_nothing(verdicts: list[str]) -> None:
    assert outcome(verdicts) == "second_review"


def test_T7_nobody_gives_two_voices() -> None:
    assert may_vote("approve", has_voted=False)
    again = may_vote("approve", has_voted=True)
    assert (again.allowed, again.refusal) == (False, Refusal.NOT_NOW)


def test_what_two_people_give_is_what_both_give() -> None:
    one = Conditions(("detect", "generate"), TODAY + timedelta(days=9), Limits(10, 20, 3))
    other = Conditions(("detect",), TODAY + timedelta(days=5), Limits(30, 5, 4))
    assert narrowest(one, other) == Conditions(("detect",), TODAY + timedelta(days=5), Limits(10, 5, 3))
    assert narrowest(one, Conditions(("weights",), None, one.limits)).functions == ()


# --- Leases ----------------------------------------------------------------------------------------------------------


def test_a_lease_keeps_others_away_unless_they_give_a_reason() -> None:
    lease = Lease("7", "Ivy", AT + LEASE)
    assert not_taken("claim", "8", None)
    assert not_taken("claim", "7", lease)
    refused = not_taken("claim", "8", lease)
    assert (refused.code, "Ivy" in refused.reason, bool(refused.change)) == ("claimed", True, True)
    assert not_taken("claim", "8", lease, has_reason=True)


# --- One lab ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "is_shared"),
    [
        (Interests("a@lab.edu"), Interests("b@LAB.edu"), True),
        (Interests("a@lab.edu"), Interests("b@other.edu"), False),
        (Interests("a@gmail.com"), Interests("b@gmail.com"), False),
        (Interests("a@example.org"), Interests("b@example.org"), False),
        (Interests(""), Interests(""), False),
        (Interests("a@x.edu", frozenset({" Text  Lab."})), Interests("b@y.edu", frozenset({"text lab"})), True),
        (Interests("a@x.edu", frozenset({"Independent"})), Interests("b@y.edu", frozenset({"independent"})), False),
        (Interests("a@x.edu", frozenset({""})), Interests("b@y.edu", frozenset({""})), False),
    ],
)
def test_T6_one_lab_is_seen_by_address_or_affiliation(one: Interests, other: Interests, is_shared: bool) -> None:
    assert bool(shared_lab(one, other)) is is_shared
    decision = no_interest("approve", shared_lab(one, other))
    assert decision.allowed is not is_shared
    assert decision.allowed or decision.change
