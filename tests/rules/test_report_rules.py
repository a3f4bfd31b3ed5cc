"""Misuse reports: categories, severities and clocks, codes, states, and what an action must rest on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.core.actors import ANONYMOUS, Actor, ActorKind
from release_portal.core.decisions import Refusal
from release_portal.misuse.categories import CATEGORIES, category_of
from release_portal.misuse.codes import code_digest, write_code
from release_portal.misuse.report_rules import (
    CLOSED,
    DECLINED,
    DUPLICATE,
    NEEDS_INFO,
    OPEN_STATES,
    RECEIVED,
    REPORT,
    TRIAGED,
    has_ground,
    may_decide,
    may_merge,
)
from release_portal.misuse.severities import (
    SEVERITIES,
    decision_due,
    first_look_due,
    provisional_level,
    severity_of,
)

WEDNESDAY = datetime(2026, 4, 29, 15, tzinfo=UTC)
FRIDAY = datetime(2026, 5, 1, 15, tzinfo=UTC)
REVIEWER = Actor(ActorKind.USER, "3", "reviewer", frozenset({"safety_reviewer"}))
OFFICER = Actor(ActorKind.USER, "4", "officer", frozenset({"duty_officer"}))
LEAD = Actor(ActorKind.USER, "5", "lead", frozenset({"access_lead", "release_manager", "administrator"}))


def test_there_are_thirty_categories_each_with_a_definition_and_a_known_severity() -> None:
    assert len({category.code for category in CATEGORIES}) == 30
    assert all(category.definition and 0 <= category.severity < len(SEVERITIES) for category in CATEGORIES)
    assert {len(category.code) <= 12 for category in CATEGORIES} == {True}


def test_not_sure_is_no_category_and_waits_as_medium() -> None:
    assert category_of("") is None
    assert category_of("NONSENSE") is None
    assert provisional_level("") == 2
    assert provisional_level("CHILD") == 4
    assert provisional_level("SPAM") == 1


@pytest.mark.parametrize(
    ("level", "due"),
    [
        (4, WEDNESDAY + timedelta(minutes=30)),
        (3, WEDNESDAY + timedelta(hours=4)),
        (2, WEDNESDAY + timedelta(days=1)),
        (1, WEDNESDAY + timedelta(days=5)),  # Thursday, Friday, Monday
        (0, WEDNESDAY + timedelta(days=7)),
    ],
)
def test_the_first_look_is_due_by_severity_in_hours_or_working_days(level: int, due: datetime) -> None:
    assert first_look_due(WEDNESDAY, level) == due


def test_urgent_clocks_run_through_the_weekend_and_others_wait_for_monday() -> None:
    assert first_look_due(FRIDAY, 3) == FRIDAY + timedelta(hours=4)
    assert first_look_due(FRIDAY, 2) == FRIDAY + timedelta(days=3)
    assert first_look_due(FRIDAY + timedelta(days=1), 2) == FRIDAY + timedelta(days=3, hours=0)


def test_decisions_on_severe_cases_are_due_sooner() -> None:
    dues = [decision_due(WEDNESDAY, level) for level in (4, 3, 2, 1)]
    assert dues == sorted(dues)
    assert dues[0] == WEDNESDAY + timedelta(hours=72)


def test_there_is_no_severity_beyond_the_five() -> None:
    for level in (-1, 5):
        with pytest.raises(LookupError):
            severity_of(level)


@given(st.integers(min_value=0, max_value=2**128 - 1))
def test_a_code_reads_the_same_however_people_write_it(bits: int) -> None:
    code = write_code(bits)
    variants = (code.lower(), code.replace("-", ""), code.replace("-", " "), code.replace("0", "o"), f"  {code}\n")
    assert {code_digest(variant) for variant in variants} == {code_digest(code)}
    assert code_digest(write_code((bits + 1) % 2**128)) != code_digest(code)


def test_a_code_holds_exactly_128_bits_in_groups() -> None:
    assert write_code(0) == "0000-0000-0000-0000-0000-0000-00"
    assert write_code(2**128 - 1) == "7ZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZ"
    with pytest.raises(ValueError, match="128"):
        write_code(2**128)


ALLOWED = {
    (RECEIVED, "accept"), (RECEIVED, "decline"), (RECEIVED, "merge"), (RECEIVED, "ask"), (RECEIVED, "write"),
    (NEEDS_INFO, "accept"), (NEEDS_INFO, "decline"), (NEEDS_INFO, "merge"), (NEEDS_INFO, "write"),
    (TRIAGED, "accept"), (TRIAGED, "act"), (TRIAGED, "close"), (TRIAGED, "write"),
}  # fmt: skip
DESK_COMMANDS = ("accept", "decline", "merge", "ask", "write", "act", "close")


@pytest.mark.parametrize("name", DESK_COMMANDS)
@pytest.mark.parametrize("state", REPORT.states)
def test_each_command_is_allowed_from_its_states_only(state: str, name: str) -> None:
    decision = may_decide(name, REVIEWER, state, is_reporter=False, is_subject=False)
    assert bool(decision) is ((state, name) in ALLOWED)
    assert decision or decision.refusal is Refusal.NOT_NOW


@pytest.mark.parametrize("name", DESK_COMMANDS)
@pytest.mark.parametrize("state", REPORT.states)
def test_nobody_without_a_triage_role_decides_in_any_state(state: str, name: str) -> None:
    token = Actor(REVIEWER.kind, REVIEWER.id, REVIEWER.name, REVIEWER.roles, frozenset({"reports:write"}))
    for actor in (LEAD, ANONYMOUS, token):
        decision = may_decide(name, actor, state, is_reporter=False, is_subject=False)
        assert decision.refusal is Refusal.MAY_NOT


@pytest.mark.parametrize("name", DESK_COMMANDS)
def test_nobody_decides_on_a_report_that_they_filed_or_that_is_about_them(name: str) -> None:
    for state in OPEN_STATES:
        own = may_decide(name, OFFICER, state, is_reporter=True, is_subject=False)
        about = may_decide(name, OFFICER, state, is_reporter=False, is_subject=True)
        assert (own.code, about.code) == ("own_report", "subject")
        assert own.refusal is about.refusal is Refusal.MAY_NOT


def test_the_reporter_answers_a_question_and_writes_while_the_report_is_open() -> None:
    assert REPORT.decide("answer", NEEDS_INFO, {"reporter"})
    for state in REPORT.states:
        assert bool(REPORT.decide("write", state, {"reporter"})) is (state in OPEN_STATES)
    assert not REPORT.decide("close", TRIAGED, {"reporter"})


def test_a_report_is_merged_into_another_one_that_is_no_duplicate_and_was_not_declined() -> None:
    for state in (*OPEN_STATES, CLOSED):
        assert may_merge(1, 2, state)
    assert may_merge(1, 1, RECEIVED).code == "self"
    assert may_merge(1, 2, DUPLICATE).code == "chain"
    assert may_merge(1, 2, DECLINED).code == "declined"


def test_an_action_rests_on_the_record_or_on_a_persons_finding() -> None:
    assert has_ground(is_recorded=True, finding="")
    assert has_ground(is_recorded=False, finding="The shop's page names the account.")
    assert has_ground(is_recorded=False, finding="   ").code == "no_ground"
