"""Narrowing: who confirms it, what stage is left, who withdraws, and what a missed review leads to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.grant_rules import GrantFacts
from release_portal.access.policy import NEEDS_WEIGHTS, Action, Facts, decide
from release_portal.access.quota import Limits, cut
from release_portal.core.actors import Actor, ActorKind
from release_portal.core.decisions import Refusal
from release_portal.moves.recall_rules import RECALL, decide_command, may_open, percent_confirmed
from release_portal.releases.gate_policy import ReleasePolicy
from release_portal.releases.hold_rules import Restriction
from release_portal.releases.ladder import LADDER, stage_of
from release_portal.releases.narrowing_rules import (
    CONFIRMED,
    LAPSED,
    NARROWING,
    RAISED,
    NarrowingFacts,
    is_freshly_confirmed,
    is_lapsed,
    may_confirm,
    may_confirm_withdrawal,
    may_review,
    may_withdraw,
    narrowest,
    step_below,
    sunset_state,
)

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
SLUGS = [stage.slug for stage in LADDER]
stages = st.sampled_from(SLUGS)


def person(number: int, *roles: str) -> Actor:
    return Actor(ActorKind.USER, str(number), f"person {number}", frozenset(roles))


OFFICER, OTHER, REVIEWER = person(1, "duty_officer"), person(2, "duty_officer"), person(3, "safety_reviewer")
MANAGER, STRANGER = person(4, "release_manager"), person(5, "access_lead", "operator", "board")
WAITING = NarrowingFacts(RAISED, "partner", "1", AT)
POLICY = ReleasePolicy(
    name="tests", version=1, title="Tests", digest="d" * 64, text="", gates=(), on_duty=2, comment_window=DAY,
    notice_period=DAY, review_working_days=20, longest_waiver=DAY, review_every=(("public_hosted", 180 * DAY),),
    sunset_hold=14 * DAY, sunset_step_down=30 * DAY, fast_path=14 * DAY, fast_approvals=2, fast_criteria=(),
)  # fmt: skip


def test_another_person_confirms_a_narrowing_and_the_first_may_not() -> None:
    """Seen to fail with the comparison of ids removed."""
    for actor in (OTHER, REVIEWER, MANAGER):
        assert may_confirm(actor, WAITING)
    assert may_confirm(OFFICER, WAITING).code == "same_officer"
    assert may_confirm(STRANGER, WAITING).refusal is Refusal.MAY_NOT
    assert may_confirm(replace(OTHER, scopes=frozenset()), WAITING).refusal is Refusal.MAY_NOT
    for state in (CONFIRMED, LAPSED):
        assert may_confirm(OTHER, replace(WAITING, state=state)).refusal is Refusal.NOT_NOW


def test_an_unconfirmed_narrowing_lapses_after_72_hours_and_a_confirmed_one_never() -> None:
    end = AT + timedelta(hours=72)
    assert not is_lapsed(WAITING, end - timedelta(seconds=1))
    assert is_lapsed(WAITING, end)
    assert not is_lapsed(replace(WAITING, state=CONFIRMED), end + 400 * DAY)
    assert NARROWING.decide("lapse", RAISED, {"system"})
    assert not NARROWING.decide("lapse", RAISED, {"duty_officer", "release_manager"})


@given(granted=stages, targets=st.lists(stages, max_size=5), data=st.data())
def test_the_stage_is_never_wider_than_granted_and_the_order_of_lapses_does_not_matter(
    granted: str, targets: list[str], data: st.DataObject
) -> None:
    """Seen to fail with a lapse that goes back to the stage before the narrowing."""
    assert narrowest(granted, []) == granted
    stage = narrowest(granted, targets)
    assert stage_of(stage).ordinal == min(stage_of(slug).ordinal for slug in [granted, *targets])
    waiting = list(targets)
    for gone in data.draw(st.permutations(targets)):
        waiting.remove(gone)
        assert stage_of(narrowest(granted, waiting)).ordinal >= stage_of(stage).ordinal
        stage = narrowest(granted, waiting)
    assert stage == granted


def test_a_withdrawal_takes_two_different_people() -> None:
    """Seen to fail with the comparison of ids removed."""
    proposed = {"proposed_by_id": "1"}
    assert may_withdraw(OFFICER, "", {})
    assert may_withdraw(MANAGER, "", {})
    assert may_withdraw(REVIEWER, "", {}).refusal is Refusal.MAY_NOT
    assert may_withdraw(OTHER, "", proposed).code == "proposed"
    assert may_confirm_withdrawal(OFFICER, "", proposed).code == "same_officer"
    assert may_confirm_withdrawal(MANAGER, "", proposed)
    assert may_confirm_withdrawal(MANAGER, "", {}).code == "not_proposed"
    assert may_confirm_withdrawal(replace(MANAGER, scopes=frozenset()), "", proposed).refusal is Refusal.MAY_NOT
    for rule in (may_withdraw, may_confirm_withdrawal):
        assert rule(MANAGER, "withdrawn", proposed).code == "withdrawn"


def test_a_password_counts_for_ten_minutes_and_never_from_the_future() -> None:
    assert is_freshly_confirmed(AT, AT)
    assert is_freshly_confirmed(AT, AT + timedelta(minutes=10))
    assert not is_freshly_confirmed(AT, AT + timedelta(minutes=11))
    assert not is_freshly_confirmed(AT + timedelta(seconds=1), AT)
    assert not is_freshly_confirmed(None, AT)


@pytest.mark.parametrize("action", Action)
def test_a_withdrawn_size_is_read_about_and_used_by_nobody(action: Action) -> None:
    """Seen to fail with `_by_ending` removed from `decide`."""
    facts = Facts(person(9), "open_science", False, True, (), AT)
    assert decide(facts, action)
    decision = decide(replace(facts, ending="withdrawn"), action)
    if action in NEEDS_WEIGHTS or action is Action.USE_DETECTOR:
        assert (decision.code, decision.refusal) == ("withdrawn", Refusal.MAY_NOT)
    else:
        assert decision


@pytest.mark.parametrize(
    ("days", "state"),
    [(179, None), (180, "due"), (193, "due"), (194, "held"), (209, "held"), (210, "step_down"), (999, "step_down")],
)
def test_a_missed_review_is_first_shown_then_holds_then_steps_down(days: int, state: str | None) -> None:
    found = sunset_state("public_hosted", AT, None, POLICY, AT + days * DAY)
    assert (found.state if found else None) == state
    if found:
        assert (found.review_by, found.hold_at, found.step_down_at) == tuple(AT + n * DAY for n in (180, 194, 210))


def test_a_review_begins_the_time_anew_and_an_old_one_counts_for_nothing() -> None:
    """Seen to fail with `since` alone, and with `reviewed_at` alone."""
    late = AT + 200 * DAY
    assert sunset_state("public_hosted", AT, AT + 100 * DAY, POLICY, late) is None
    assert sunset_state("public_hosted", AT, AT - 100 * DAY, POLICY, late) is not None
    assert sunset_state("disclosed", AT, None, POLICY, AT + 9999 * DAY) is None


def test_only_a_stage_that_can_be_undone_steps_down() -> None:
    assert step_below("public_hosted") == "research_hosted"
    assert step_below("registered") is None
    assert [slug for slug in SLUGS if step_below(slug) is None] == [
        "registered",
        "research_weights",
        "open_weights",
        "open_science",
    ]


def test_only_a_release_manager_reviews_a_stage() -> None:
    assert may_review(MANAGER)
    for actor in (OFFICER, REVIEWER, STRANGER, replace(MANAGER, scopes=frozenset())):
        assert may_review(actor).refusal is Refusal.MAY_NOT


def test_a_recipient_answers_their_own_recall_notice_and_staff_answer_any() -> None:
    assert may_open(OFFICER)
    assert may_open(REVIEWER).refusal is Refusal.MAY_NOT
    holder = person(9)
    for name in ("acknowledge", "delete"):
        assert decide_command(name, "open", holder, "9")
        assert decide_command(name, "open", holder, "8").refusal is Refusal.MAY_NOT
        assert decide_command(name, "open", MANAGER, "8")
        assert decide_command(name, "closed", holder, "9").refusal is Refusal.NOT_NOW
        assert not decide_command(name, "open", replace(holder, scopes=frozenset()), "9")
    assert decide_command("close", "open", holder, "9").refusal is Refusal.MAY_NOT
    assert {command.name for command in RECALL.commands} == {"add", "acknowledge", "delete", "close"}


@pytest.mark.parametrize(("total", "deleted", "percent"), [(0, 0, 0), (3, 0, 0), (3, 2, 66), (3, 3, 100)])
def test_confirmed_is_counted_in_whole_percent_rounded_down(total: int, deleted: int, percent: int) -> None:
    assert percent_confirmed(total, deleted) == percent


# --- Restrictions in the policy --------------------------------------------------------------------------------------

RESEARCH = GrantFacts("g-1", "active", "research", frozenset({"generate", "weights"}), AT - DAY, AT + DAY)
PARTNER = replace(RESEARCH, id="g-2", kind="partner")


def facts(stage: str, *grants: GrantFacts, restriction: Restriction | None = None) -> Facts:
    return Facts(person(9), stage, False, True, grants, AT, (restriction,) if restriction else ())


def test_a_function_that_is_off_is_not_now_and_the_others_go_on() -> None:
    """Seen to fail with `_restriction_on` removed from `decide`."""
    off = Restriction("R2", functions=frozenset({"detect"}), reason="It leaks.")
    decision = decide(facts("open_weights", restriction=off), Action.DETECT)
    assert (decision.code, decision.refusal, decision.rule) == ("restricted", Refusal.NOT_NOW, "restriction R2")
    assert "It leaks." in decision.reason
    assert decide(facts("open_weights", restriction=off), Action.GENERATE)
    shorter = Restriction("R2", max_tokens=8)
    assert all(decide(facts("open_weights", restriction=shorter), action) for action in NEEDS_WEIGHTS)


def test_grants_of_a_suspended_cohort_carry_nothing_and_others_do() -> None:
    """Seen to fail with `_suspended` removed from `permitting_grant`."""
    suspended = Restriction("R3", cohort="partner", reason="A leak.")
    refused = decide(facts("research_hosted", PARTNER, restriction=suspended), Action.GENERATE)
    assert (refused.code, refused.refusal) == ("restricted", Refusal.NOT_NOW)
    assert decide(facts("research_hosted", RESEARCH, restriction=suspended), Action.GENERATE)
    assert decide(facts("research_hosted", PARTNER, RESEARCH, restriction=suspended), Action.GENERATE)
    assert decide(facts("research_hosted", restriction=suspended), Action.GENERATE).code == "no_grant"


def test_people_without_a_grant_are_restricted_where_the_public_is_and_holders_are_not() -> None:
    public = Restriction("R3", cohort="public")
    assert decide(facts("public_hosted", restriction=public), Action.GENERATE).code == "restricted"
    assert decide(facts("public_hosted", RESEARCH, restriction=public), Action.GENERATE)
    assert decide(facts("public_hosted", restriction=public), Action.READ_CARD)


def test_cut_quotas_change_no_decision_and_every_limit() -> None:
    half = Restriction("R1", percent=50)
    assert decide(facts("public_hosted", restriction=half), Action.GENERATE)
    assert cut(Limits(1000, 20, 1), [half, Restriction("R1", percent=10)]) == Limits(100, 2, 1)
    assert cut(Limits(1000, 20, 1), []) == Limits(1000, 20, 1)
