"""Waivers, windows, comments, external reviews, freezes: who may do what, and how long each must last."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from release_portal.core.actors import ANONYMOUS, Actor, ActorKind, system_actor
from release_portal.core.decisions import Refusal
from release_portal.releases.consultation_rules import (
    HIDDEN,
    HOUR,
    MOST_ANONYMOUS,
    MOST_BY_ACCOUNT,
    WAITING,
    comment_state,
    decide_comment,
    decide_review,
    due_problem,
    earliest_due,
    may_comment,
    may_invite,
    may_open_window,
    name_problem,
    review_state,
    text_problem,
    window_problem,
)
from release_portal.releases.freeze_rules import (
    ENDED,
    IN_FORCE,
    LIFTED,
    PLANNED,
    FreezeFacts,
    may_lift_freeze,
    may_raise_freeze,
)
from release_portal.releases.freeze_rules import end_problem as freeze_end_problem
from release_portal.releases.gate_policy import ApprovalNeed, Criterion, Gate
from release_portal.releases.policy_changes import policy_diff
from release_portal.releases.policy_files import packaged
from release_portal.releases.preparation_rules import may_go_on, may_prepare
from release_portal.releases.proposal_rules import OPEN, STATES
from release_portal.releases.waiver_rules import (
    WaiverFacts,
    criterion_problem,
    end_problem,
    may_agree,
    may_ask,
    people_needed,
)

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
BERLIN = ZoneInfo("Europe/Berlin")


def person(number: int, *roles: str) -> Actor:
    return Actor(ActorKind.USER, str(number), f"person {number}", frozenset(roles))


MANAGER, OTHER, SAFETY = person(1, "release_manager"), person(2, "release_manager"), person(3, "safety_reviewer")
OFFICER, REVIEWER, STRANGER = person(4, "duty_officer"), person(5, "external_reviewer"), person(6)
TOKEN = replace(MANAGER, scopes=frozenset({"staff:read"}))
NEEDS = (ApprovalNeed("release_manager"), ApprovalNeed("safety_reviewer"))
GATE = Gate(
    "registered",
    "disclosed",
    (
        Criterion("C01", "Digest", "measured", is_waivable=True),  # a policy file cannot make it waivable
        Criterion("C02", "Card", "document"),
        Criterion("C03", "Register", "document", is_waivable=False),
    ),
    NEEDS,
    3 * DAY,
    7 * DAY,
)
WAIVER = WaiverFacts("C02", asked_by_id="1", proposer_id="9", ends_at=AT + 10 * DAY)


# --- The proposal around it ------------------------------------------------------------------------------------------


def test_what_the_lock_will_hold_is_changed_before_the_lock_only() -> None:
    assert [state for state in STATES if may_prepare(state, "tests")] == ["draft", "collecting"]
    assert {state for state in STATES if may_go_on(state, "tests")} == set(OPEN)
    assert may_prepare("locked", "tests").code == "state"
    assert may_prepare("completed", "tests").code == may_go_on("completed", "tests").code == "closed"


# --- Waivers ---------------------------------------------------------------------------------------------------------


def test_a_release_manager_asks_for_a_waiver_and_nobody_else_and_no_token() -> None:
    assert may_ask(MANAGER, "C02", [], AT)
    for actor in (SAFETY, STRANGER, ANONYMOUS, TOKEN, system_actor("rule")):
        assert may_ask(actor, "C02", [], AT).refusal is Refusal.MAY_NOT


def test_a_second_waiver_of_a_criterion_waits_until_the_first_has_ended() -> None:
    for first in (WAIVER, replace(WAIVER, is_granted=True)):
        assert may_ask(MANAGER, "C02", [first], AT).code == "waived"
        assert may_ask(MANAGER, "C02", [first], first.ends_at)
        assert may_ask(MANAGER, "C04", [first], AT)


def test_some_criteria_are_never_waived_whatever_the_policy_file_says() -> None:
    assert criterion_problem(GATE, "C02") == ""
    assert criterion_problem(GATE, "C01") == "C01 is never waived."
    assert criterion_problem(GATE, "C03") == "C03 is never waived."
    assert "no criterion of this gate" in criterion_problem(GATE, "C99")


def test_a_waiver_ends_in_the_future_and_not_later_than_the_policy_allows() -> None:
    assert end_problem(AT + timedelta(seconds=1), AT, 30 * DAY) == ""
    assert end_problem(AT + 30 * DAY, AT, 30 * DAY) == ""
    assert "in the future" in end_problem(AT, AT, 30 * DAY)
    late = end_problem(AT + 30 * DAY + timedelta(seconds=1), AT, 30 * DAY)
    assert "at most 30 days" in late
    assert "31 May 2026, 12:00:00 UTC" in late


def test_the_night_in_which_clocks_change_makes_no_waiver_longer() -> None:
    before = datetime(2026, 10, 24, 12, tzinfo=BERLIN)  # clocks go back in the night: 25 hours lie between the noons
    after = datetime(2026, 10, 25, 12, tzinfo=BERLIN)
    assert "at most 1 days" in end_problem(after, before, DAY)
    assert end_problem(after - timedelta(hours=1), before, DAY) == ""


def test_one_more_than_the_quorum_must_agree() -> None:
    assert people_needed(NEEDS, {}) == 3
    share = (ApprovalNeed("board", None, "two_thirds"), ApprovalNeed("safety_reviewer"))
    assert people_needed(share, {"board": 7}) == 5 + 1 + 1
    assert people_needed(share, {}) == 3, "an empty board is no shortcut"


def test_each_person_agrees_once_in_a_role_of_theirs_that_the_gate_asks_for() -> None:
    assert may_agree(SAFETY, "safety_reviewer", WAIVER, AT)
    assert may_agree(OTHER, "release_manager", WAIVER, AT)
    assert may_agree(SAFETY, "release_manager", WAIVER, AT).code == "role"
    assert may_agree(REVIEWER, "external_reviewer", WAIVER, AT)
    assert may_agree(replace(REVIEWER, roles=frozenset({"operator"})), "operator", WAIVER, AT).code == "role"
    assert may_agree(SAFETY, "safety_reviewer", replace(WAIVER, agreed_ids=("3",)), AT).code == "agreed"
    assert may_agree(replace(SAFETY, scopes=frozenset()), "safety_reviewer", WAIVER, AT).code == "role"


def test_neither_the_asker_nor_the_proposer_agrees() -> None:
    assert may_agree(MANAGER, "release_manager", WAIVER, AT).code == "own_waiver"
    assert may_agree(OTHER, "release_manager", replace(WAIVER, proposer_id="2"), AT).code == "own_proposal"


def test_nobody_agrees_to_a_waiver_that_is_granted_or_has_ended() -> None:
    assert may_agree(SAFETY, "safety_reviewer", replace(WAIVER, is_granted=True), AT).code == "state"
    assert may_agree(SAFETY, "safety_reviewer", WAIVER, WAIVER.ends_at).code == "state"


# --- Windows ---------------------------------------------------------------------------------------------------------


def test_a_release_manager_opens_one_window_of_each_kind() -> None:
    assert may_open_window(MANAGER, [], "comment")
    assert may_open_window(MANAGER, ["notice"], "comment")
    assert may_open_window(MANAGER, ["comment"], "comment").code == "window"
    for actor in (SAFETY, STRANGER, ANONYMOUS, TOKEN):
        assert may_open_window(actor, [], "comment").refusal is Refusal.MAY_NOT


def test_a_window_is_not_shorter_than_the_policy_and_the_shortest_end_is_named() -> None:
    assert window_problem(AT + 14 * DAY, AT, 14 * DAY) == ""
    assert "15 May 2026, 12:00:00 UTC" in window_problem(AT + 14 * DAY - timedelta(seconds=1), AT, 14 * DAY)
    assert window_problem(AT, AT, timedelta()) == "", "without waits it may close at once"
    assert window_problem(AT - timedelta(seconds=1), AT, timedelta()) != ""


def test_the_night_in_which_clocks_change_makes_no_window_shorter() -> None:
    before = datetime(2026, 3, 28, 12, tzinfo=BERLIN)  # clocks go forward: 23 hours lie between the noons
    after = datetime(2026, 3, 29, 12, tzinfo=BERLIN)
    assert "at least 1 days" in window_problem(after, before, DAY)
    assert window_problem(after + timedelta(hours=1), before, DAY) == ""


def test_a_leap_day_counts_as_a_day() -> None:
    start = datetime(2028, 2, 20, 12, tzinfo=UTC)
    assert window_problem(datetime(2028, 3, 5, 12, tzinfo=UTC), start, 14 * DAY) == ""
    assert window_problem(datetime(2028, 3, 5, 11, tzinfo=UTC), start, 14 * DAY) != ""
    assert earliest_due(datetime(2028, 2, 28, 9, tzinfo=UTC), 2) == datetime(2028, 3, 1, 9, tzinfo=UTC)


# --- Comments --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actor", [ANONYMOUS, STRANGER, MANAGER])
def test_people_comment_while_a_window_is_open(actor: Actor) -> None:
    assert may_comment(actor, is_open=True, recent=[], at=AT)
    assert may_comment(actor, is_open=False, recent=[], at=AT).code == "no_window"


@pytest.mark.parametrize("actor", [TOKEN, system_actor("rule")])
def test_no_program_comments(actor: Actor) -> None:
    assert may_comment(actor, is_open=True, recent=[], at=AT).refusal is Refusal.MAY_NOT


@pytest.mark.parametrize(("actor", "most"), [(STRANGER, MOST_BY_ACCOUNT), (ANONYMOUS, MOST_ANONYMOUS)])
def test_too_many_comments_in_an_hour_are_refused_until_the_oldest_is_an_hour_old(actor: Actor, most: int) -> None:
    times = [AT - HOUR + (number + 1) * timedelta(seconds=30) for number in range(most)]
    assert may_comment(actor, is_open=True, recent=times[1:], at=AT)
    refused = may_comment(actor, is_open=True, recent=times, at=AT)
    assert refused.refusal is Refusal.TOO_MUCH
    assert refused.retry_at == times[0] + HOUR
    assert may_comment(actor, is_open=True, recent=times, at=times[0] + HOUR)


@pytest.mark.parametrize("text", ["x", "x" * 5_000, "one\ntwo", "日本語"])
def test_a_comment_of_one_to_5000_characters_is_kept(text: str) -> None:
    assert text_problem(text, 5_000) == ""


@pytest.mark.parametrize("text", ["", " \n", "x" * 5_001, "a\x00b", "a\ud800b"])
def test_an_empty_or_endless_comment_is_not(text: str) -> None:
    assert text_problem(text, 5_000) != ""


@pytest.mark.parametrize(("name", "is_kept"), [("Reader", True), ("", False), ("x" * 151, False), ("a\nb", False)])
def test_a_visitor_comments_under_a_name(name: str, is_kept: bool) -> None:
    assert (name_problem(name) == "") is is_kept


def test_release_managers_answer_and_safety_reviewers_hide() -> None:
    assert decide_comment("answer", WAITING, MANAGER)
    assert decide_comment("answer", WAITING, SAFETY).refusal is Refusal.MAY_NOT
    assert decide_comment("hide", WAITING, SAFETY)
    assert decide_comment("hide", WAITING, MANAGER).refusal is Refusal.MAY_NOT
    for state in ("answered", HIDDEN):
        assert decide_comment("answer", state, MANAGER).code == "state"
    assert decide_comment("hide", comment_state(is_answered=True, is_hidden=False), SAFETY)
    assert decide_comment("hide", comment_state(is_answered=True, is_hidden=True), SAFETY).code == "state"


# --- External reviews ------------------------------------------------------------------------------------------------


def test_a_release_manager_invites_somebody_who_is_an_external_reviewer() -> None:
    roles = frozenset({"external_reviewer"})
    assert may_invite(MANAGER, "5", roles, [], "2")
    assert may_invite(MANAGER, "5", frozenset(), [], "2").code == "no_reviewer"
    assert may_invite(MANAGER, "5", roles, ["5"], "2").code == "invited"
    assert may_invite(SAFETY, "5", roles, [], "2").refusal is Refusal.MAY_NOT


def test_whoever_has_a_part_in_a_proposal_is_no_external_reviewer_of_it() -> None:
    roles = frozenset({"external_reviewer"})
    assert may_invite(MANAGER, MANAGER.id, roles, [], "2").code == "own_review"
    assert may_invite(MANAGER, "2", roles, [], "2").code == "own_review"


def test_only_the_invited_person_accepts_and_deposits_and_in_this_order() -> None:
    invited = review_state(is_accepted=False, is_deposited=False)
    accepted = review_state(is_accepted=True, is_deposited=False)
    deposited = review_state(is_accepted=True, is_deposited=True)
    assert decide_review("accept", invited, REVIEWER, "5")
    assert decide_review("deposit", invited, REVIEWER, "5").code == "state"
    assert decide_review("deposit", accepted, REVIEWER, "5")
    assert decide_review("deposit", deposited, REVIEWER, "5").code == "state"
    for other in (person(7, "external_reviewer"), person(5), replace(REVIEWER, scopes=frozenset()), MANAGER):
        assert decide_review("accept", invited, other, "5").refusal is Refusal.MAY_NOT


def test_a_reviewer_has_so_many_working_days() -> None:
    friday = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert due_problem(friday + 28 * DAY, friday, 20) == ""
    assert "29 May 2026, 12:00:00 UTC" in due_problem(friday + 20 * DAY, friday, 20)
    for day in range(7):
        assert due_problem(friday + day * DAY, friday + day * DAY, 0) == ""


# --- Freezes ---------------------------------------------------------------------------------------------------------

FREEZE = FreezeFacts(AT, AT + DAY, "1")


@pytest.mark.parametrize("actor", [MANAGER, SAFETY, OFFICER])
def test_a_freeze_is_raised_by_one_person(actor: Actor) -> None:
    assert may_raise_freeze(actor)


@pytest.mark.parametrize("actor", [STRANGER, REVIEWER, ANONYMOUS, TOKEN])
def test_nobody_else_raises_a_freeze(actor: Actor) -> None:
    assert may_raise_freeze(actor).refusal is Refusal.MAY_NOT


def test_a_freeze_is_lifted_early_by_another_person_than_the_raiser() -> None:
    for at in (AT - DAY, AT):
        assert may_lift_freeze(OTHER, FREEZE, at)
        assert may_lift_freeze(SAFETY, FREEZE, at)
    assert may_lift_freeze(MANAGER, FREEZE, AT).code == "same_person"
    assert may_lift_freeze(OFFICER, FREEZE, AT).refusal is Refusal.MAY_NOT
    assert may_lift_freeze(OTHER, FREEZE, FREEZE.ends_at).code == "state"
    assert may_lift_freeze(OTHER, replace(FREEZE, is_lifted=True), AT).code == "state"


def test_a_freeze_begins_and_ends_by_the_clock() -> None:
    times = (AT - timedelta(seconds=1), AT, AT + DAY)
    assert [FREEZE.state(at) for at in times] == [PLANNED, IN_FORCE, ENDED]
    assert replace(FREEZE, is_lifted=True).state(AT) == LIFTED


def test_a_freeze_ends_after_its_start_and_after_now() -> None:
    assert freeze_end_problem(AT, AT + DAY, AT) == ""
    assert freeze_end_problem(AT - DAY, AT + DAY, AT) == "", "it may be written down after it began"
    assert "after the start" in freeze_end_problem(AT + DAY, AT + DAY, AT)
    assert "in the future" in freeze_end_problem(AT - 2 * DAY, AT, AT)


# --- What changes from one policy to another -------------------------------------------------------------------------


def test_a_policy_differs_in_nothing_from_itself() -> None:
    assert policy_diff(packaged("preset"), packaged("preset")) == []


def test_every_change_of_a_policy_is_said_in_words() -> None:
    old = packaged("preset")
    first = old.gates[0]
    changes = {"C01": {"threshold": Decimal("0.5"), "is_waivable": True}}
    kept = tuple(replace(one, **changes.get(one.id, {})) for one in first.criteria if one.id != "C02")
    gate = replace(
        first,
        criteria=(*kept, Criterion("C99", "A new one", "document")),
        cool_off=DAY,
        approvals=(ApprovalNeed("board", None, "two_thirds"),),
    )
    new = replace(old, gates=(gate, *old.gates[2:]), on_duty=3, review_every=old.review_every[1:])
    words = policy_diff(old, new)
    name = "Registered to Disclosed"
    assert "people on duty: 2 becomes 3" in words
    assert f"{name}: cool-off: 3 days becomes 1 day" in words
    assert f"{name}: C01 threshold: 1 becomes 0.5" in words
    assert f"{name}: C01 is waivable: no becomes yes" in words
    assert f"{name}: C02 is no longer asked for" in words
    assert f"{name}: C99 is asked for: A new one" in words
    assert f"{name}: approvals: 1 release manager, 1 safety reviewer becomes two thirds board" in words
    assert "Disclosed to Partner: the move is no longer possible" in words
    assert "Disclosed to Partner: the move becomes possible" in policy_diff(new, old)
    assert any(word.startswith("review at Partner: 180 days becomes nothing") for word in words)


def test_the_policy_without_waits_asks_for_the_same_criteria_as_the_preset() -> None:
    words = policy_diff(packaged("preset"), packaged("demo-fast"))
    assert words
    assert not any("asked for" in word or "approvals" in word for word in words)
