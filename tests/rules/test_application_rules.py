"""Applications: which sizes take them, what is missing, who may do what, and the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.application_rules import (
    APPLICATION,
    NEEDS_INFO,
    OPEN,
    REVIEWERS,
    STATES,
    SUBMITTED,
    Answers,
    clock_at,
    decide_command,
    due_after,
    due_after_pause,
    end_of,
    functions_open,
    kind_of_grant,
    latest_end,
    may_apply,
    may_renew,
    missing,
    renewed_end,
    unreadable,
)
from release_portal.access.conditions import USUAL, Conditions, condition_problems
from release_portal.access.grant_rules import LONGEST_DAYS
from release_portal.access.policy import TABLE, Action, Audience
from release_portal.access.purposes import PURPOSES
from release_portal.access.quota import Limits
from release_portal.access.refusals import REASONS
from release_portal.core.actors import ANONYMOUS, Actor, ActorKind, system_actor
from release_portal.core.decisions import Refusal
from release_portal.core.workdays import add_working_time, working_days, working_time_between
from release_portal.releases.ladder import LADDER

AT = datetime(2026, 3, 4, 10, 0, tzinfo=UTC)  # a Wednesday
DAY = timedelta(days=1)
STAGE = "research_hosted"
FULL = Answers("P01", "A question.", "An institute", "Kept and counted.", ("generate",), (AT + 30 * DAY).date())
WHO = ("applicant", "access_lead", "partner_lead", "safety_reviewer", "release_manager", "duty_officer", "system")


def person(number: int, *roles: str, scopes: frozenset[str] | None = None) -> Actor:
    return Actor(ActorKind.USER, str(number), f"person {number}", frozenset(roles), scopes)


# --- The table -------------------------------------------------------------------------------------------------------


def test_the_published_matrix() -> None:
    """Every command from every state for every relation; nothing else leads anywhere."""
    allowed = {
        ("start", "new", "applicant"),
        ("save", "draft", "applicant"),
        ("submit", "draft", "applicant"),
        ("answer", "needs_info", "applicant"),
        *(("attach", state, "applicant") for state in ("draft", "submitted", "needs_info")),
        ("detach", "draft", "applicant"),
        *(("withdraw", state, "applicant") for state in OPEN),
        ("accept_terms", "pending_terms", "applicant"),
        *(("ask", state, who) for state in ("submitted", "second_review") for who in REVIEWERS),
        *(("advise", state, who) for state in ("submitted", "needs_info", "second_review") for who in REVIEWERS),
        *(
            (name, state, who)
            for name in ("claim", "vote", "approve", "offer", "refuse")
            for state in ("submitted", "second_review")
            for who in REVIEWERS
        ),
        ("lapse", "draft", "system"),
        ("lapse", "needs_info", "system"),
        ("lapse", "pending_terms", "system"),
    }
    found = {
        (one.name, state, who)
        for one in APPLICATION.commands
        for state in APPLICATION.states
        for who in WHO
        if APPLICATION.decide(one.name, state, {who})
    }
    assert found == allowed


def test_T26_T41_only_a_person_who_decides_leads_to_granted() -> None:
    """T26, T41: neither the applicant nor time grants anything."""
    assert [one.name for one in APPLICATION.commands if one.target == "granted"] == ["approve", "accept_terms"]
    assert [one.name for one in APPLICATION.commands if one.target == "pending_terms"] == ["offer"]
    assert APPLICATION.command("accept_terms").sources == {"pending_terms"}, "only what people approved is accepted"
    for name in ("approve", "offer"):
        assert APPLICATION.command(name).by == set(REVIEWERS)


def test_what_is_ended_stays_ended() -> None:
    for state in set(STATES) - OPEN:
        assert not APPLICATION.available(state, WHO)


# --- Which sizes take applications -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stage", "functions", "kind"),
    [
        ("registered", (), "research"),
        ("disclosed", (), "research"),
        ("partner", ("generate", "detect"), "partner"),
        ("research_hosted", ("generate", "detect"), "research"),
        ("public_hosted", (), "research"),
        ("research_weights", ("weights",), "research"),
        ("open_weights", (), "research"),
        ("open_science", (), "research"),
    ],
)
def test_what_a_grant_opens_follows_from_the_policy(stage: str, functions: tuple[str, ...], kind: str) -> None:
    assert functions_open(stage) == functions
    assert kind_of_grant(stage) == kind
    assert bool(may_apply(person(1), stage)) == bool(functions)


def test_stages_take_applications_exactly_where_the_table_asks_for_a_grant() -> None:
    needs_grant = {Audience.GRANTEES, Audience.PARTNERS}
    for stage in LADDER:
        asks = needs_grant & {TABLE[stage.slug][action] for action in (Action.GENERATE, Action.DOWNLOAD_WEIGHTS)}
        assert bool(may_apply(person(1), stage.slug)) == bool(asks), stage.slug


@pytest.mark.parametrize(
    ("actor", "stage", "code", "hides"),
    [
        (person(1), "disclosed", "stage_closed", False),
        (person(1), "public_hosted", "no_grant_needed", False),
        (person(1), "registered", "hidden", True),
        (person(1, "release_manager"), "registered", "stage_closed", False),
        (ANONYMOUS, STAGE, "sign_in", False),
        (ANONYMOUS, "registered", "hidden", True),
        (person(1, scopes=frozenset({"generate"})), STAGE, "scope", False),
    ],
)
def test_refusals_say_why(actor: Actor, stage: str, code: str, hides: bool) -> None:
    decision = may_apply(actor, stage)
    assert (decision.allowed, decision.code, decision.hide) == (False, code, hides)
    assert decision.refusal is Refusal.MAY_NOT
    assert hides or (decision.reason and decision.change)


def test_a_token_with_the_scope_may_apply() -> None:
    assert may_apply(person(1, scopes=frozenset({"applications:write"})), STAGE)


# --- What is missing -------------------------------------------------------------------------------------------------


def test_a_full_application_lacks_nothing() -> None:
    assert missing(FULL, STAGE, at=AT) == []
    assert unreadable(FULL) == []


def test_an_empty_one_names_every_field_once() -> None:
    fields = [problem.field for problem in missing(Answers(), STAGE, at=AT)]
    assert sorted(fields) == ["affiliation", "functions", "intended_use", "purpose", "purpose_code", "requested_end"]


def test_blanks_are_no_answer() -> None:
    blank = Answers("P01", "  \n", "An institute", "Kept.", ("generate",), FULL.requested_end)
    assert [problem.field for problem in missing(blank, STAGE, at=AT)] == ["purpose"]


@pytest.mark.parametrize(
    ("day", "is_fine"),
    [
        (AT.date() - DAY, False),
        (AT.date(), False),
        (AT.date() + DAY, True),
        (latest_end(AT), True),
        (latest_end(AT) + DAY, False),
        (date.max, False),
    ],
)
def test_the_end_lies_in_the_future_and_within_the_policy(day: date, is_fine: bool) -> None:
    asked = Answers("P01", "Q", "A", "U", ("generate",), day)
    assert (missing(asked, STAGE, at=AT) == []) is is_fine


@given(st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2032, 1, 1), timezones=st.just(UTC)))
def test_T10_the_latest_end_never_exceeds_the_longest_grant(at: datetime) -> None:
    """T10, leap days among them."""
    assert timedelta(days=LONGEST_DAYS - 1) < end_of(latest_end(at)) - at <= timedelta(days=LONGEST_DAYS)


def test_a_function_that_the_stage_does_not_open_is_named() -> None:
    asked = Answers("P01", "Q", "A", "U", ("generate", "weights"), FULL.requested_end)
    problems = missing(asked, STAGE, at=AT)
    assert [problem.field for problem in problems] == ["functions"]
    assert "weights" in problems[0].reason
    assert "generate" not in problems[0].reason


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        (Answers(purpose_code="P16"), "purpose_code"),
        (Answers(functions=("fly",)), "functions"),
        (Answers(purpose="x" * 5_001), "purpose"),
        (Answers(affiliation="x" * 201), "affiliation"),
        (Answers(intended_use="a\x00b"), "intended_use"),
    ],
)
def test_what_a_draft_cannot_hold(answers: Answers, field: str) -> None:
    assert [problem.field for problem in unreadable(answers)] == [field]


def test_a_draft_holds_texts_of_the_greatest_length() -> None:
    assert unreadable(Answers(purpose="x" * 5_000, affiliation="x" * 200, intended_use="<b>" * 1_000)) == []


def test_the_purposes_are_p01_to_p15() -> None:
    assert list(PURPOSES) == [f"P{number:02}" for number in range(1, 16)]


def test_every_reason_says_what_would_change_it() -> None:
    assert REASONS
    assert all(reason.label and reason.change and len(reason.code) <= 30 for reason in REASONS.values())


# --- Conditions ------------------------------------------------------------------------------------------------------


def test_conditions_may_be_narrower() -> None:
    both = Answers("P01", "Q", "A", "U", ("generate", "detect"), FULL.requested_end)
    given_less = Conditions(("detect",), AT.date() + DAY, Limits(1, 1, 1))
    assert condition_problems(both, STAGE, given_less, at=AT) == []


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        (Conditions((), FULL.requested_end, USUAL), "functions"),
        (Conditions(("detect",), FULL.requested_end, USUAL), "functions"),
        (Conditions(("generate",), FULL.requested_end + DAY, USUAL), "last_day"),
        (Conditions(("generate",), AT.date(), USUAL), "last_day"),
        (Conditions(("generate",), None, USUAL), "last_day"),
        (Conditions(("generate",), FULL.requested_end, Limits(0, 1, 1)), "tokens_per_day"),
        (Conditions(("generate",), FULL.requested_end, Limits(1, 10**9, 1)), "requests_per_minute"),
        (Conditions(("generate",), FULL.requested_end, Limits(1, 1, 257)), "concurrent"),
    ],
)
def test_conditions_are_never_wider(conditions: Conditions, field: str) -> None:
    assert [problem.field for problem in condition_problems(FULL, STAGE, conditions, at=AT)] == [field]


def test_a_function_that_the_stage_closed_meanwhile_cannot_be_given() -> None:
    conditions = Conditions(("generate",), FULL.requested_end, USUAL)
    assert [one.field for one in condition_problems(FULL, "research_weights", conditions, at=AT)] == ["functions"]


# --- Who -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["approve", "refuse", "ask"])
def test_T6_nobody_decides_on_their_own_application_whatever_role_they_hold(name: str) -> None:
    """T6: also not with a role that came after the application."""
    own = decide_command(name, SUBMITTED, person(7, "access_lead", "partner_lead", "administrator"), "7", STAGE)
    assert (own.allowed, own.code) == (False, "own_application")
    assert decide_command(name, SUBMITTED, person(8, "access_lead"), "7", STAGE)


def test_the_lead_of_the_kind_decides() -> None:
    access, partner = person(1, "access_lead"), person(2, "partner_lead")
    assert decide_command("approve", SUBMITTED, access, "7", STAGE)
    assert not decide_command("approve", SUBMITTED, partner, "7", STAGE)
    assert decide_command("approve", SUBMITTED, partner, "7", "partner")
    assert not decide_command("approve", SUBMITTED, access, "7", "partner")


@pytest.mark.parametrize("role", ["administrator", "safety_reviewer", "release_manager", "board", "operator"])
def test_other_roles_do_not_decide(role: str) -> None:
    assert decide_command("approve", SUBMITTED, person(1, role), "7", STAGE).refusal is Refusal.MAY_NOT


@pytest.mark.parametrize("tier", range(4))
@pytest.mark.parametrize("state", STATES)
def test_T3_who_may_give_which_command_in_which_state_at_which_tier(tier: int, state: str) -> None:
    """Below tier 2 one owner; from tier 2, and while a second is awaited, everybody who reviews; advice always."""
    everybody = tier >= 2 or state == "second_review"
    for name in ("claim", "vote", "approve", "refuse", "ask", "advise"):
        sources = APPLICATION.command(name).sources
        for role in REVIEWERS:
            may = state in sources and (everybody or name == "advise" or role == "access_lead")
            found = decide_command(name, state, person(1, role), "7", STAGE, tier=tier)
            assert bool(found) is may, (name, role)


def test_T24_a_token_never_decides_and_writes_only_with_its_scope() -> None:
    """T24."""
    writes = frozenset({"applications:write"})
    assert not decide_command("approve", SUBMITTED, person(1, "access_lead", scopes=writes), "7", STAGE)
    assert decide_command("answer", NEEDS_INFO, person(7, scopes=writes), "7", STAGE)
    assert not decide_command("answer", NEEDS_INFO, person(7, scopes=frozenset({"generate"})), "7", STAGE)


def test_T4_the_applicant_cannot_change_their_own_status() -> None:
    """T4: by no command that decides."""
    applicant = person(7)
    allowed = {one.name for one in APPLICATION.commands if decide_command(one.name, SUBMITTED, applicant, "7", STAGE)}
    assert allowed == {"attach", "withdraw"}


def test_strangers_and_anonymous_visitors_may_do_nothing() -> None:
    for actor in (person(9), ANONYMOUS):
        for state in STATES:
            assert not [c for c in APPLICATION.commands if decide_command(c.name, state, actor, "7", STAGE)]


def test_the_system_only_lets_lapse() -> None:
    sweeper = system_actor("sweeper")
    found = {
        (c.name, state)
        for c in APPLICATION.commands
        for state in STATES
        if decide_command(c.name, state, sweeper, "7", STAGE)
    }
    assert found == {("lapse", "draft"), ("lapse", "needs_info"), ("lapse", "pending_terms")}


# --- The clock -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 3, 4, 10, tzinfo=UTC), datetime(2026, 3, 11, 10, tzinfo=UTC)),  # Wednesday to Wednesday
        (datetime(2026, 3, 7, 15, tzinfo=UTC), datetime(2026, 3, 14, 0, tzinfo=UTC)),  # a Saturday counts from Monday
        (datetime(2026, 3, 6, 23, 59, tzinfo=UTC), datetime(2026, 3, 13, 23, 59, tzinfo=UTC)),
        (datetime(2026, 3, 9, 0, tzinfo=UTC), datetime(2026, 3, 14, 0, tzinfo=UTC)),
    ],
)
def test_five_working_days_leave_weekends_out(start: datetime, end: datetime) -> None:
    assert due_after(start) == end


MOMENTS = st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2026, 12, 31), timezones=st.just(UTC))


@given(start=MOMENTS, hours=st.integers(0, 24 * 40))
def test_adding_working_time_and_measuring_it_agree(start: datetime, hours: int) -> None:
    span = timedelta(hours=hours)
    assert working_time_between(start, add_working_time(start, span)) == span


def test_a_question_stops_the_clock_and_the_answer_starts_it_with_what_was_left() -> None:
    due = due_after(AT)
    assert due_after_pause(due, AT + DAY, AT + 8 * DAY) == add_working_time(AT + 8 * DAY, working_days(4))
    assert due_after_pause(due, due + DAY, due + 9 * DAY) == due, "what was late stays late"


def test_T11_the_clock_counts_whole_working_days() -> None:
    due = due_after(AT)
    assert (clock_at(due, AT).days, clock_at(due, AT).is_late) == (5, False)
    assert clock_at(due, AT + timedelta(hours=1)).days == 5
    assert clock_at(due, AT + DAY).days == 4
    assert (clock_at(due, due).days, clock_at(due, due).is_late) == (0, False)
    assert (clock_at(due, due + DAY).days, clock_at(due, due + DAY).is_late) == (1, True)


# --- Renewal ---------------------------------------------------------------------------------------------------------


def test_a_renewal_counts_from_the_old_end() -> None:
    """T11: what is left of the old time is not lost."""
    old_end, term = AT + 20 * DAY, 30 * DAY
    assert renewed_end(old_end, AT + term, AT) == old_end + term


@pytest.mark.parametrize(
    ("state", "may"),
    [("active", True), ("scheduled", True), ("expired", True), ("suspended", False), ("revoked", False)],
)
def test_which_grants_can_be_renewed(state: str, may: bool) -> None:
    assert bool(may_renew(state)) is may
