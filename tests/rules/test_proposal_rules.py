"""The life of a proposal as a table, and the guards around it: lock, schedule, execute, the fast path."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.accounts.roles import Role
from release_portal.core.actors import ANONYMOUS, Actor, ActorKind, system_actor
from release_portal.core.decisions import Refusal
from release_portal.releases.gate_policy import INFO, ApprovalNeed, Criterion, Gate
from release_portal.releases.gates import Assessment, Outcome, Result
from release_portal.releases.policy_files import packaged, parse
from release_portal.releases.proposal_rules import (
    CONFIRMED_WITHIN,
    DECIDED,
    EXECUTED,
    NEW,
    OPEN,
    PROPOSAL,
    STATES,
    VOTED_ON,
    ExecutionFacts,
    became_stale,
    decide_command,
    drift_of,
    fast_gate,
    is_confirmed,
    is_fast_path_open,
    material_digest,
    may_execute,
    may_lock,
    may_schedule,
    relations,
)
from tests.governance import small_policy

AT = datetime(2026, 3, 29, 12, tzinfo=UTC)
SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
PROPOSER = "7"

MANAGER, SYSTEM = "release_manager", "system"
APPROVERS = "release_manager safety_reviewer access_lead partner_lead external_reviewer board"
BEFORE_EXECUTION = "draft collecting locked in_review changes_requested approved cooling scheduled"
# Written down here a second time, so that a slip in the table of the rules is seen: from where, to where, by whom.
TABLE = {
    "open": ("new", "draft", MANAGER),
    "edit": ("draft collecting changes_requested", None, MANAGER),
    "move_policy": ("draft collecting", None, MANAGER),
    "collect": ("draft", "collecting", MANAGER),
    "lock": ("collecting", "locked", MANAGER),
    "submit": ("locked", "in_review", MANAGER),
    "vote": ("in_review", None, APPROVERS),
    "answer": ("in_review", None, MANAGER),
    "request_changes": ("in_review", "changes_requested", APPROVERS),
    "veto": ("in_review", "rejected", "safety_reviewer external_reviewer board"),
    "reopen": ("changes_requested locked in_review approved cooling scheduled", "collecting", MANAGER),
    "approve": ("in_review", "approved", SYSTEM),
    "cool": ("approved", "cooling", SYSTEM),
    "schedule": ("cooling", "scheduled", MANAGER),
    "execute": ("scheduled", "executing", MANAGER),
    "observe": ("executing", "observing", SYSTEM),
    "complete": ("observing", "completed", SYSTEM),
    "expire": ("locked in_review approved cooling scheduled", "expired", SYSTEM),
    "abort": (BEFORE_EXECUTION, "aborted", MANAGER),
    "roll_back": ("observing completed", "rolled_back", SYSTEM),
}


def person(*roles: str, number: str = "1", scopes: frozenset[str] | None = None) -> Actor:
    return Actor(ActorKind.USER, number, f"person {number}", frozenset(roles), scopes)


EVERYBODY = {
    **{role.value: person(role.value) for role in Role},
    "nobody": person(),
    "anonymous": ANONYMOUS,
    SYSTEM: system_actor("gate"),
}


# --- The table -------------------------------------------------------------------------------------------------------


def test_the_table_holds_exactly_these_commands() -> None:
    assert {one.name for one in PROPOSAL.commands} == set(TABLE)
    assert len(PROPOSAL.commands) == len(TABLE)
    assert {one.name: one.target for one in PROPOSAL.commands} == {name: row[1] for name, row in TABLE.items()}
    assert all(one.note for one in PROPOSAL.commands), "the published matrix says what each is for"


@pytest.mark.parametrize("name", TABLE)
def test_each_command_in_each_state_for_each_role_is_what_the_table_says(name: str) -> None:
    states, _target, roles = TABLE[name]
    for state, (role, actor) in product((NEW, *STATES), EVERYBODY.items()):
        decision = decide_command(name, state, actor, PROPOSER)
        if role not in roles.split():
            assert (decision.allowed, decision.code, decision.refusal) == (False, "role", Refusal.MAY_NOT), (
                state,
                role,
            )
        elif state not in states.split():
            assert (decision.allowed, decision.code, decision.refusal) == (False, "state", Refusal.NOT_NOW), (
                state,
                role,
            )
        else:
            assert decision.allowed, (state, role)
        assert decision.allowed or decision.change


@pytest.mark.parametrize("name", TABLE)
def test_a_token_never_gives_a_command_whoever_made_it(name: str) -> None:
    for state, scopes in product((NEW, *STATES), ((), ("staff:read", "evidence:write"))):
        token = person(*(role.value for role in Role), scopes=frozenset(scopes))
        assert relations(token) == frozenset()
        assert not decide_command(name, state, token, PROPOSER)
        assert not decide_command(name, state, token, token.id)


@pytest.mark.parametrize("name", ["vote", "veto", "request_changes"])
def test_nobody_judges_their_own_proposal_whatever_else_they_are(name: str) -> None:
    everything = person(*(role.value for role in Role), number=PROPOSER)
    for state in STATES:
        decision = decide_command(name, state, everything, PROPOSER)
        assert (decision.allowed, decision.code, decision.refusal) == (False, "own_proposal", Refusal.MAY_NOT)
    assert decide_command(name, "in_review", replace(everything, id="8"), PROPOSER)


def test_the_proposer_carries_their_own_proposal_on() -> None:
    jo = person(MANAGER, number=PROPOSER)
    for name, state in (("collect", "draft"), ("lock", "collecting"), ("answer", "in_review"), ("abort", "locked")):
        assert decide_command(name, state, jo, PROPOSER)


def test_a_system_actor_whose_name_is_the_proposers_number_is_no_proposer() -> None:
    assert decide_command("expire", "locked", system_actor(PROPOSER), PROPOSER)
    assert decide_command("vote", "in_review", system_actor(PROPOSER), PROPOSER).code == "role"


def test_no_command_leads_out_of_what_is_over() -> None:
    for state in ("rejected", "expired", "aborted", "rolled_back"):
        assert not [one.name for one in PROPOSAL.commands if state in one.sources]


def test_every_state_can_be_reached_and_every_command_starts_somewhere() -> None:
    reached = {NEW} | {one.target for one in PROPOSAL.commands if one.target}
    assert reached == set(PROPOSAL.states) == {NEW, *STATES}
    for one in PROPOSAL.commands:
        assert one.sources
        assert one.sources <= reached


def test_the_groups_of_states_overlap_only_where_they_should() -> None:
    assert set(OPEN) | set(DECIDED) | {"expired", "aborted"} == set(STATES)
    assert not set(OPEN) & set(DECIDED)
    assert set(EXECUTED) <= set(DECIDED)
    assert set(VOTED_ON) <= set(OPEN)
    assert set(VOTED_ON) == set(TABLE["expire"][0].split())


def test_only_one_way_leads_to_execution_and_it_passes_a_lock_and_a_vote() -> None:
    """Walked backwards from the execution, every step has one source."""
    state, way = "executing", []
    while state != "collecting":
        (state,) = {source for one in PROPOSAL.commands if one.target == state for source in one.sources}
        way.append(state)
    assert way == ["scheduled", "cooling", "approved", "in_review", "locked", "collecting"]


# --- Locking ---------------------------------------------------------------------------------------------------------

LICENCE, REGISTER = Criterion("C17", "Licence", "document"), Criterion("C03", "Register", "document")
HINT = Criterion("C30", "A hint", "document", severity=INFO)


def gate(*criteria: Criterion) -> Gate:
    return Gate("partner", "research_hosted", criteria, (ApprovalNeed("board"),), timedelta(), timedelta())


def result(criterion: Criterion, outcome: Outcome, change: str = "") -> Result:
    return Result(criterion, outcome, "what there is", "what is asked", f"It is {outcome.value}.", change)


def test_a_whole_case_with_an_answered_checklist_may_be_locked() -> None:
    results = (result(LICENCE, Outcome.PASS), result(REGISTER, Outcome.WAIVED))
    assert may_lock(Assessment(gate(LICENCE, REGISTER), results), []).code == "complete"


@pytest.mark.parametrize(
    "results",
    [
        (),
        (result(LICENCE, Outcome.PASS),),
        (result(LICENCE, Outcome.PASS), result(LICENCE, Outcome.PASS)),
        (result(LICENCE, Outcome.PASS), result(REGISTER, Outcome.PASS), result(HINT, Outcome.PASS)),
        (result(LICENCE, Outcome.PASS), result(REGISTER, Outcome.PASS), result(REGISTER, Outcome.PASS)),
    ],
)
def test_a_set_of_results_that_is_not_the_policys_is_never_locked(results: tuple[Result, ...]) -> None:
    decision = may_lock(Assessment(gate(LICENCE, REGISTER), results), [])
    assert (decision.allowed, decision.code) == (False, "set")


@pytest.mark.parametrize("outcome", sorted(set(Outcome) - {Outcome.PASS, Outcome.WAIVED}))
def test_whatever_is_no_pass_and_no_waiver_keeps_the_gate_shut_by_name(outcome: Outcome) -> None:
    results = (result(LICENCE, Outcome.PASS), result(REGISTER, outcome, "Do this."))
    decision = may_lock(Assessment(gate(LICENCE, REGISTER), results), [])
    assert (decision.allowed, decision.code, decision.refusal) == (False, "gate_shut", Refusal.NOT_NOW)
    assert decision.reason == f"The gate is shut by C03. C03: It is {outcome.value}."
    assert decision.change == "Do this."


def test_every_criterion_that_shuts_the_gate_is_named_and_there_is_always_a_way_out() -> None:
    results = (result(LICENCE, Outcome.FAIL), result(REGISTER, Outcome.STALE))
    decision = may_lock(Assessment(gate(LICENCE, REGISTER), results), [])
    assert "C17, C03" in decision.reason
    assert decision.change


def test_what_does_not_block_does_not_keep_the_gate_shut() -> None:
    results = (result(LICENCE, Outcome.PASS), result(HINT, Outcome.FAIL))
    assert may_lock(Assessment(gate(LICENCE, HINT), results), [])


def test_a_checklist_with_holes_is_counted_after_the_gate() -> None:
    whole = Assessment(gate(LICENCE), (result(LICENCE, Outcome.PASS),))
    decision = may_lock(whole, ["1", "17"])
    assert (decision.allowed, decision.code) == (False, "checklist")
    assert "2 answers" in decision.reason
    shut = Assessment(gate(LICENCE), (result(LICENCE, Outcome.FAIL),))
    assert may_lock(shut, ["1"]).code == "gate_shut"


def test_only_what_blocks_and_is_stale_ends_a_proposal() -> None:
    results = (result(LICENCE, Outcome.STALE), result(REGISTER, Outcome.FAIL), result(HINT, Outcome.STALE))
    assert became_stale(Assessment(gate(LICENCE, REGISTER, HINT), results)) == ("C17",)


# --- Executing -------------------------------------------------------------------------------------------------------

CLEAR = ExecutionFacts(
    is_held=False,
    is_frozen=False,
    narrowing_waits=False,
    on_duty=2,
    needed_on_duty=2,
    cool_off_until=AT,
    execute_after=AT,
    drift=(),
    stage="partner",
    source="partner",
)
# In the order in which they are asked; each names what to wait for or mend.
BARS: list[tuple[str, dict[str, Any], str]] = [
    ("ended", {"is_ended": True}, "withdrawn"),
    ("moved", {"stage": "disclosed"}, "stands at"),
    ("cooling", {"cool_off_until": AT + SECOND}, "29 March 2026, 12:00 UTC"),
    ("scheduled", {"execute_after": AT + SECOND}, "scheduled for"),
    ("narrowed", {"narrowing_waits": True}, "roll-back"),
    ("held", {"is_held": True}, "hold"),
    ("frozen", {"is_frozen": True}, "freeze"),
    ("duty", {"on_duty": 1}, "1 of 2 people"),
    ("drift", {"drift": ("card", "C07")}, "card, C07"),
]


def test_with_nothing_in_the_way_the_move_is_made_to_the_second() -> None:
    assert may_execute(CLEAR, AT).code == "execute"
    assert may_execute(replace(CLEAR, on_duty=5), AT + 100 * DAY)
    assert not may_execute(CLEAR, AT - SECOND)


@pytest.mark.parametrize(("code", "change", "words"), BARS, ids=[bar[0] for bar in BARS])
def test_each_bar_stops_the_move_by_itself_and_says_what_to_do(code: str, change: dict[str, Any], words: str) -> None:
    decision = may_execute(replace(CLEAR, **change), AT)
    assert (decision.allowed, decision.code, decision.refusal) == (False, code, Refusal.NOT_NOW)
    assert words in decision.reason
    assert decision.change


@pytest.mark.parametrize("number", range(len(BARS)))
def test_of_several_bars_the_first_is_named(number: int) -> None:
    changes: dict[str, Any] = {}
    for _code, change, _words in BARS[number:]:
        changes |= change
    assert may_execute(replace(CLEAR, **changes), AT).code == BARS[number][0]


def test_a_policy_that_asks_for_nobody_on_duty_has_enough() -> None:
    assert may_execute(replace(CLEAR, on_duty=0, needed_on_duty=0), AT)


# --- Scheduling and the clock ----------------------------------------------------------------------------------------


def test_a_time_is_set_once_the_cool_off_is_over_and_never_before_its_end() -> None:
    assert may_schedule(AT, AT, AT).code == "schedule"
    assert may_schedule(AT, AT + DAY, AT)
    assert may_schedule(AT, AT + DAY, AT - SECOND).code == "cooling"
    assert may_schedule(AT, AT - SECOND, AT).code == "early"
    assert may_schedule(AT, AT - SECOND, AT - SECOND).code == "cooling", "the wait itself comes first"


@pytest.mark.parametrize(
    ("zone", "begin"),
    [
        ("Europe/Berlin", "2026-03-28T12:00"),  # 23 hours from noon to noon
        ("Europe/Berlin", "2026-10-24T12:00"),  # 25 hours
        ("America/New_York", "2026-03-07T12:00"),
        ("Pacific/Apia", "2011-12-29T12:00"),  # a day that was left out
        ("UTC", "2028-02-28T12:00"),  # 29 February lies between
        ("UTC", "2027-02-28T12:00"),
    ],
)
def test_the_wait_is_one_of_elapsed_time_whatever_the_calendar_does(zone: str, begin: str) -> None:
    """Invariant 11. Seen to fail with `cool_off_until` and `at` compared as local times without their zones."""
    approved = datetime.fromisoformat(begin).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    over = approved + DAY
    for local in (over.astimezone(ZoneInfo(zone)), over.astimezone(ZoneInfo("Asia/Kathmandu")), over):
        assert may_schedule(over, local, local)
        assert may_execute(replace(CLEAR, cool_off_until=over, execute_after=over), local)
        early = (over - SECOND).astimezone(local.tzinfo)
        assert may_schedule(over, over, early).code == "cooling"
        assert may_execute(replace(CLEAR, cool_off_until=over, execute_after=over), early).code == "cooling"


def test_the_hour_that_comes_twice_is_two_hours() -> None:
    """Invariant 11. In the night of daylight saving 02:30 is once before and once after the change."""
    berlin = ZoneInfo("Europe/Berlin")
    first, second = (datetime(2026, 10, 25, 2, 30, tzinfo=berlin, fold=fold).astimezone(UTC) for fold in (0, 1))
    assert second - first == timedelta(hours=1)
    assert may_schedule(second, second, first.astimezone(berlin)).code == "cooling"
    assert may_schedule(second, second, second.astimezone(berlin))


def test_a_clock_that_was_moved_back_only_makes_the_wait_longer() -> None:
    """Invariant 11. Seen to fail with `abs(at - cool_off_until)` in place of the comparison."""
    over = AT + DAY
    for back in (timedelta(hours=1), DAY, 400 * DAY):
        assert may_schedule(over, over, over - back).code == "cooling"
        assert may_execute(replace(CLEAR, cool_off_until=over, execute_after=over), over - back).code == "cooling"


# --- Confirming who one is -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ago", "is_fresh"),
    [
        (timedelta(0), True),
        (timedelta(minutes=10), True),
        (timedelta(minutes=10, microseconds=1), False),
        (DAY, False),
        (timedelta(microseconds=-1), False),
        (-DAY, False),
    ],
)
def test_a_confirmation_counts_for_ten_minutes_and_not_from_the_future(ago: timedelta, is_fresh: bool) -> None:
    assert timedelta(minutes=10) == CONFIRMED_WITHIN
    decision = is_confirmed(AT - ago, AT, "proposal: vote")
    assert decision.allowed is is_fresh
    assert decision.rule == "proposal: vote"
    if not is_fresh:
        assert (decision.code, decision.refusal) == ("confirm", Refusal.MAY_NOT)


# --- What is locked --------------------------------------------------------------------------------------------------

MATERIAL = {
    "policy": "p",
    "case": "c",
    "card": "",
    "checklist": "l",
    "manifest": "m",
    "results": {"C03": "pass:e", "C07": "pass:f"},
}


def test_what_did_not_change_has_not_drifted() -> None:
    assert drift_of(MATERIAL, json.loads(json.dumps(MATERIAL))) == ()


@pytest.mark.parametrize("part", ["policy", "case", "card", "checklist", "manifest"])
def test_a_part_that_changed_is_named_also_where_it_is_missing(part: str) -> None:
    assert drift_of(MATERIAL, {**MATERIAL, part: "other"}) == (part,)
    without = {name: value for name, value in MATERIAL.items() if name != part}
    assert drift_of(MATERIAL, without) == drift_of(without, MATERIAL) == (part,)


def test_results_are_named_by_criterion_also_those_that_came_or_went() -> None:
    results = {"C07": "fail:f", "C12": "pass:g"}
    assert drift_of(MATERIAL, {**MATERIAL, "results": results}) == ("C03", "C07", "C12")
    assert drift_of(MATERIAL, {name: value for name, value in MATERIAL.items() if name != "results"}) == ("C03", "C07")
    assert drift_of(MATERIAL, {**MATERIAL, "card": "x", "results": results})[0] == "card"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def turned(value: Any) -> Any:
    """The same value with the keys of every mapping in the other order."""
    if isinstance(value, dict):
        return {key: turned(value[key]) for key in reversed(value)}
    return [turned(one) for one in value] if isinstance(value, list) else value


@given(st.dictionaries(st.text(max_size=4), values, max_size=5))
def test_the_lock_digest_does_not_depend_on_the_order_of_keys(material: dict[str, Any]) -> None:
    digest = material_digest(material)
    assert digest == material_digest(turned(material)) == material_digest(json.loads(json.dumps(material)))
    assert len(digest) == 64


@pytest.mark.parametrize("part", MATERIAL)
def test_any_other_byte_gives_another_lock_digest(part: str) -> None:
    assert material_digest({**MATERIAL, part: "other"}) != material_digest(MATERIAL)
    assert material_digest({name: value for name, value in MATERIAL.items() if name != part}) != material_digest(
        MATERIAL
    )


# --- The fast path ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("policy", [packaged("preset"), packaged("demo-fast")], ids=["preset", "demo-fast"])
def test_the_fast_gate_asks_for_a_few_criteria_and_two_people_in_different_roles(policy: Any) -> None:
    fast = fast_gate(policy, "partner", "public_hosted")
    assert (fast.source, fast.target) == ("partner", "public_hosted")
    assert {"C12", "C15", "L01"} <= fast.ids <= {"C12", "C15", "L01", "C27"}
    assert len(fast.ids) == len(fast.criteria)
    assert [need.needed(0) for need in fast.approvals] == [1, 1]
    assert len({need.role for need in fast.approvals}) == 2
    assert fast.cool_off == timedelta(0)
    assert set(fast.monitors) == {"C12", "C15"}
    assert not fast.is_irreversible


def test_the_fast_gate_to_what_cannot_be_recalled_still_asks_for_the_word() -> None:
    preset = packaged("preset")
    assert fast_gate(preset, "partner", "research_weights").is_irreversible
    assert fast_gate(preset, "partner", "open_weights").is_irreversible


def test_the_fast_gate_watches_as_long_as_the_full_one_or_the_longest_there_is() -> None:
    policy = parse(small_policy(soak=3))
    assert fast_gate(policy, "partner", "research_hosted").soak == 3 * DAY
    assert fast_gate(policy, "registered", "research_hosted").soak == 3 * DAY


def test_the_fast_gate_knows_no_criterion_that_the_policy_has_not() -> None:
    assert fast_gate(parse(small_policy()), "partner", "public_hosted").ids == {"C12", "L01", "C27"}


@pytest.mark.parametrize(
    ("passed", "target", "is_open"),
    [
        (timedelta(0), "public_hosted", True),
        (14 * DAY, "public_hosted", True),
        (14 * DAY + timedelta(microseconds=1), "public_hosted", False),
        (DAY, "research_hosted", True),
        (DAY, "research_weights", False),  # it was not held before
    ],
)
def test_the_fast_path_is_open_for_fourteen_days_up_to_the_stage_held_before(
    passed: timedelta, target: str, is_open: bool
) -> None:
    assert is_fast_path_open(AT, "public_hosted", target, 14 * DAY, AT + passed) is is_open
