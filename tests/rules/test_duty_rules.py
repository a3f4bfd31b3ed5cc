"""Extra terms, duties, close-out and rules of engagement, without a database."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from release_portal.access.closing_rules import asked_day, decide_closing, is_flagged
from release_portal.access.conditions import MOST, Conditions, narrowest
from release_portal.access.engagement_rules import CLAUSES, Act, EngagementFacts, inside_engagement
from release_portal.access.extra_terms import Term, both_sets, digest_of, read, term_problems, written
from release_portal.access.modifiers import MODIFIERS
from release_portal.access.obligations.rules import (
    DUTIES,
    OBLIGATION,
    PAUSE_AFTER,
    DutyFacts,
    add_months,
    due_of,
    is_overdue,
    is_settled,
    relations,
    rests_grant,
)

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
END = datetime(2026, 9, 1, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)


# --- Terms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "value", "is_right"),
    [
        ("Q01", "", True), ("Q01", "x", False), ("Q99", "", False), ("Q06", "6", True), ("Q06", "", False),
        ("Q06", "0", False), ("Q06", "37", False), ("Q06", "six", False), ("Q07", "30", True), ("Q07", "366", False),
        ("Q04", "news", True), ("Q04", " ", False), ("Q04", "x" * 201, False), ("Q14", "2026-03-02", True),
        ("Q14", "2026-03-01", False), ("Q14", "2026-02-30", False), ("Q14", "soon", False),
    ],
)  # fmt: skip
def test_a_term_takes_what_its_modifier_asks_for(code: str, value: str, is_right: bool) -> None:
    assert (term_problems([Term(code, value)], at=AT) == []) == is_right


def test_of_one_month_or_day_a_term_speaks_in_the_singular() -> None:
    assert Term("Q06", "1").sentence == "Results are published or reported within 1 month."
    assert Term("Q06", "11").sentence == "Results are published or reported within 11 months."
    assert Term("Q07", "1").sentence == "The lab is told 1 day before a publication."


def test_a_term_is_named_once() -> None:
    assert [one.reason for one in term_problems([Term("Q06", "3"), Term("Q06", "6")], at=AT)] == ["Q06 is named twice."]


def test_what_either_of_two_wants_kept_is_kept_and_the_stricter_value_stands() -> None:
    one = (Term("Q01"), Term("Q06", "6"), Term("Q07", "10"), Term("Q14", "2026-10-01"), Term("Q10", "EU"))
    other = (Term("Q06", "10"), Term("Q07", "9"), Term("Q14", "2026-09-01"), Term("Q15"), Term("Q10", "CH"))
    assert both_sets(one, other) == (
        Term("Q01"), Term("Q06", "6"), Term("Q07", "10"), Term("Q10", "EU; CH"), Term("Q14", "2026-09-01"), Term("Q15"),
    )  # fmt: skip
    assert both_sets((), one) == tuple(sorted(one))
    first = Conditions(("generate",), AT.date(), MOST, (Term("Q01"),))
    assert narrowest(first, replace(first, terms=(Term("Q15"),))).terms == (Term("Q01"), Term("Q15"))


def test_the_digest_changes_with_every_word_and_not_with_the_order() -> None:
    terms = (Term("Q06", "6"), Term("Q01"))
    assert digest_of("application:a", terms) == digest_of("application:a", reversed(terms))
    others = {digest_of("application:b", terms), digest_of("application:a", terms[:1])}
    others.add(digest_of("application:a", (Term("Q06", "7"), Term("Q01"))))
    assert digest_of("application:a", terms) not in others
    assert len(others) == 3
    assert read(written(terms)) == tuple(sorted(terms))


# --- Duties ----------------------------------------------------------------------------------------------------------


def test_every_duty_comes_from_a_modifier() -> None:
    assert set(DUTIES) <= set(MODIFIERS)


@pytest.mark.parametrize(
    ("term", "due"),
    [
        (Term("Q06", "6"), datetime(2026, 9, 1, 12, tzinfo=UTC)),
        (Term("Q06", "12"), datetime(2027, 3, 1, 12, tzinfo=UTC)),
        (Term("Q07", "30"), None),
        (Term("Q11"), END),
        (Term("Q14", "2026-08-01"), datetime(2026, 8, 1, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_when_a_duty_is_due(term: Term, due: datetime | None) -> None:
    assert due_of(term, AT, END) == due


def test_T10_months_end_where_the_month_does() -> None:
    assert add_months(datetime(2027, 11, 30, tzinfo=UTC), 3) == datetime(2028, 2, 29, tzinfo=UTC)
    assert add_months(datetime(2026, 12, 31, tzinfo=UTC), 2) == datetime(2027, 2, 28, tzinfo=UTC)


@pytest.mark.parametrize(
    ("state", "after", "overdue", "rests", "settled"),
    [
        ("open", -SECOND, False, False, True),
        ("open", timedelta(), True, False, False),
        ("open", PAUSE_AFTER - SECOND, True, False, False),
        ("open", PAUSE_AFTER, True, True, False),
        ("returned", PAUSE_AFTER, True, True, False),
        ("handed_in", PAUSE_AFTER, False, False, False),
        ("met", PAUSE_AFTER, False, False, True),
    ],
)
def test_T9_a_duty_rests_the_grant_fourteen_days_after_its_day(
    state: str, after: timedelta, overdue: bool, rests: bool, settled: bool
) -> None:
    """Seen to fail with `>` for `>=`."""
    duty, at = DutyFacts(state, AT), AT + after
    assert (is_overdue(duty, at), rests_grant(duty, at), is_settled(duty, at)) == (overdue, rests, settled)


def test_T25_a_waiver_counts_until_its_end_and_not_a_second_longer() -> None:
    duty = DutyFacts("open", AT, AT + 30 * DAY)
    before, after = AT + 30 * DAY - SECOND, AT + 30 * DAY
    assert (rests_grant(duty, before), is_settled(duty, before)) == (False, True)
    assert (rests_grant(duty, after), is_settled(duty, after)) == (True, False)


def test_a_duty_on_each_occasion_is_never_overdue() -> None:
    duty = DutyFacts("open", None)
    far = AT + 9999 * DAY
    assert (is_overdue(duty, far), rests_grant(duty, far), is_settled(duty, far)) == (False, False, True)


def test_T3_who_may_do_what_with_a_duty() -> None:
    allowed = {
        ("hand_in", "open", "holder"), ("hand_in", "returned", "holder"),
        *((name, "handed_in", lead) for name in ("accept", "give_back") for lead in ("access_lead", "partner_lead")),
        *(("waive", state, lead) for state in ("open", "handed_in", "returned")
          for lead in ("access_lead", "partner_lead")),
    }  # fmt: skip
    who = ("holder", "access_lead", "partner_lead", "safety_reviewer", "duty_officer", "administrator", "system")
    found = {
        (one.name, state, asker)
        for one in OBLIGATION.commands
        for state in OBLIGATION.states
        for asker in who
        if OBLIGATION.decide(one.name, state, {asker})
    }
    assert found == allowed
    assert relations({"access_lead", "partner_lead"}, "research") == {"access_lead"}
    assert relations({"access_lead", "partner_lead", "holder"}, "partner") == {"partner_lead", "holder"}


# --- Close-out -------------------------------------------------------------------------------------------------------


def test_a_grant_is_closed_once_its_holder_has_reported_and_nothing_is_left() -> None:
    assert decide_closing(disposal=None).code == "no_report"
    assert decide_closing(disposal="not_yet").code == "not_deleted"
    assert decide_closing(disposal="deleted")


def test_holders_are_asked_four_times_and_then_it_is_seen_by_reviewers() -> None:
    assert [asked_day(AT, AT + day * DAY) for day in (0, 1, 29, 30, 60, 89, 90, 400)] == [
        None, 1, 1, 30, 60, 60, 90, 90,
    ]  # fmt: skip
    assert (is_flagged(AT, AT + 90 * DAY - SECOND), is_flagged(AT, AT + 90 * DAY)) == (False, True)


# --- Rules of engagement ---------------------------------------------------------------------------------------------

RULES = EngagementFacts(frozenset({"lab/a"}), frozenset({"EXTREM", "HATE"}), 1000, AT, END)
INSIDE = Act("lab/a", "EXTREM", 1000, False, AT)


@pytest.mark.parametrize(
    ("changes", "is_inside", "clause"),
    [
        ({}, True, "E2"),
        ({"category": "HATE"}, True, "E2"),
        ({"tokens": 0}, True, "E2"),
        ({"at": END - SECOND}, True, "E2"),
        ({"size": "lab/b"}, False, "E1"),
        ({"category": "PHISH"}, False, "E2"),
        ({"category": ""}, False, "E2"),
        ({"tokens": 1001}, False, "E3"),
        ({"has_left": True}, False, "E4"),
        ({"at": AT - SECOND}, False, "E5"),
        ({"at": END}, False, "E5"),
        ({"size": "lab/b", "has_left": True}, False, "E1"),
    ],
)
def test_T44_an_act_lies_inside_the_rules_or_outside_by_a_clause(
    changes: dict[str, object], is_inside: bool, clause: str
) -> None:
    """T44, in both directions. Seen to fail with each line of `broken` left out."""
    verdict = inside_engagement(RULES, replace(INSIDE, **changes))  # type: ignore[arg-type]
    assert (verdict.is_inside, verdict.clause) == (is_inside, clause)
    assert CLAUSES[clause] in verdict.sentence
    assert ("inside" if is_inside else "outside") in verdict.sentence
