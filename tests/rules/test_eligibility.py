"""Who may ask: each rule alone, every code with its fix, and the evaluator on anything at all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.programmes import eligibility
from release_portal.access.programmes.eligibility import (
    A_PERSON,
    ALLOW,
    ALWAYS,
    ASKED,
    AT_ONCE,
    CHANGES,
    MET,
    NEEDS_PERSON,
    NOT_MET,
    REFUSED,
    RULES,
    Facts,
    PastRefusal,
    Trace,
    evaluate,
)
from release_portal.access.programmes.programme_files import packaged_text, parse, preset
from release_portal.access.programmes.programme_rules import (
    IGNORE,
    PERSON,
    REFUSE,
    CountryRule,
    Programme,
)
from release_portal.access.purposes import PURPOSES
from release_portal.access.refusals import REASONS

AT = datetime(2030, 1, 15, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GOOD = Facts("A size", "P01", "An institute", mail_confirmed=True, country="FR")
STRICT = replace(
    preset("research"),
    eligibility=dict.fromkeys(RULES, REFUSE),
    countries=CountryRule("country", (), ("AQ",)),
)


def outcomes(trace: Trace) -> dict[str, str]:
    return {line.code: line.outcome for line in trace.lines}


def ask(programme: Programme = STRICT, **changes: Any) -> Trace:
    return evaluate(programme, replace(GOOD, **changes), AT)


def test_who_meets_every_rule_may_ask_and_a_person_still_decides() -> None:
    trace = ask()
    assert set(outcomes(trace)) == {*ALWAYS, *RULES}
    assert set(outcomes(trace).values()) == {MET}
    assert trace.outcome == ALLOW
    assert (trace.programme, trace.digest) == (str(STRICT), STRICT.digest)


UNMET: dict[str, dict[str, Any]] = {
    "mail_confirmed": {"mail_confirmed": False},
    "affiliation_given": {"affiliation": " . "},
    "cool_down": {"refusals": (PastRefusal("open_breach", AT - 10 * DAY),)},
    "not_held": {"held": ("g-1",)},
    "duties_done": {"duties": 2},
    "country": {"country": "AQ"},
}


@pytest.mark.parametrize("code", RULES)
@pytest.mark.parametrize(("verdict", "line", "outcome"), [(REFUSE, NOT_MET, REFUSED), (PERSON, NEEDS_PERSON, A_PERSON)])
def test_what_is_not_met_leads_where_the_programme_says(code: str, verdict: str, line: str, outcome: str) -> None:
    programme = replace(STRICT, eligibility={**STRICT.eligibility, code: verdict})
    trace = ask(programme, **UNMET[code])
    assert outcomes(trace) == {**dict.fromkeys(outcomes(ask()), MET), code: line}
    assert trace.outcome == outcome
    assert [one.code for one in trace.failing] == ([code] if line == NOT_MET else [])
    found = next(one for one in trace.lines if one.code == code)
    assert found.reason
    assert found.change == CHANGES[code]


@pytest.mark.parametrize("code", RULES)
def test_what_the_programme_ignores_is_not_looked_at(code: str) -> None:
    programme = replace(STRICT, eligibility={**STRICT.eligibility, code: IGNORE})
    trace = ask(programme, **UNMET[code])
    assert code not in outcomes(trace)
    assert trace.outcome == ALLOW


def test_every_rule_has_a_question_and_says_what_would_change_it() -> None:
    assert set(ASKED) == set(CHANGES) == {*ALWAYS, *RULES} == set(eligibility._LINES)
    assert all(CHANGES.values())
    assert all(ASKED.values())


@pytest.mark.parametrize("code", PURPOSES)
@pytest.mark.parametrize("name", ["research", "partner", "demo-research"])
def test_each_purpose_is_admitted_needs_a_person_or_is_refused_as_the_file_says(name: str, code: str) -> None:
    """The golden table: 45 cells, each with its reason."""
    programme = parse(packaged_text(name))
    line = next(one for one in ask(programme, purpose_code=code).lines if one.code == "purpose")
    wanted = {"admitted": MET, "care": NEEDS_PERSON, "not_admitted": NOT_MET}[programme.purposes[code]]
    assert line.outcome == wanted
    assert PURPOSES[code] in line.reason


@pytest.mark.parametrize("code", ["", "P99", "p01"])
def test_a_purpose_that_is_none_is_not_met(code: str) -> None:
    assert outcomes(ask(purpose_code=code))["purpose"] == NOT_MET


def test_who_works_alone_is_looked_at_by_a_person() -> None:
    trace = ask(affiliation="Independent")
    assert (outcomes(trace)["affiliation_given"], trace.outcome) == (NEEDS_PERSON, A_PERSON)


@pytest.mark.parametrize("code", sorted(AT_ONCE))
def test_T17_a_reason_that_can_be_mended_lets_the_same_person_ask_at_once(code: str) -> None:
    trace = ask(refusals=(PastRefusal(code, AT - timedelta(seconds=1)),))
    assert trace.outcome == ALLOW
    line = next(one for one in trace.lines if one.code == "cool_down")
    assert REASONS[code].label in line.reason


def test_T17_a_reason_that_cannot_be_mended_alone_names_the_day_and_ends_by_itself() -> None:
    refusal = PastRefusal("open_breach", AT - 90 * DAY)
    before = evaluate(STRICT, replace(GOOD, refusals=(refusal,)), AT - timedelta(seconds=1))
    line = next(one for one in before.lines if one.code == "cool_down")
    assert (line.outcome, "15 January 2030, 12:00 UTC" in line.reason) == (NOT_MET, True)
    assert evaluate(STRICT, replace(GOOD, refusals=(refusal,)), AT).outcome == ALLOW


def test_of_several_refusals_the_longest_wait_counts() -> None:
    mended = PastRefusal("purpose_unclear", AT - DAY)
    breach = PastRefusal("open_breach", AT - 80 * DAY)
    assert outcomes(ask(refusals=(breach, mended)))["cool_down"] == NOT_MET


def test_T15_every_trace_says_that_a_grant_includes_no_size_that_it_does_not_name() -> None:
    for trace in (ask(), ask(mail_confirmed=False), ask(purpose_code="")):
        line = trace.lines[0]
        assert (line.code, line.outcome) == ("size_named", MET)
        assert "A size alone" in line.reason


def test_T38_a_country_is_judged_by_the_programme_alone() -> None:
    assert outcomes(ask(country=""))["country"] == NOT_MET
    assert outcomes(ask(country="ZZ"))["country"] == NOT_MET
    assert outcomes(ask(replace(STRICT, countries=None), country=""))["country"] == MET


texts = st.text(max_size=20)
moments = st.datetimes(timezones=st.just(UTC))
all_facts = st.builds(
    Facts,
    size=texts,
    purpose_code=st.one_of(texts, st.sampled_from(sorted(PURPOSES))),
    affiliation=texts,
    mail_confirmed=st.booleans(),
    country=st.one_of(texts, st.sampled_from(["FR", "AQ"])),
    refusals=st.lists(
        st.builds(PastRefusal, st.one_of(texts, st.sampled_from(sorted(REASONS))), moments), max_size=3
    ).map(tuple),
    held=st.lists(texts, max_size=2).map(tuple),
    duties=st.integers(),
)
verdicts = st.fixed_dictionaries(dict.fromkeys(RULES, st.sampled_from([REFUSE, PERSON, IGNORE])))
programmes = st.builds(
    lambda name, eligibility, days, countries: replace(
        parse(packaged_text(name)), eligibility=eligibility, cool_down=days, countries=countries
    ),
    st.sampled_from(["research", "partner", "demo-research"]),
    verdicts,
    st.dictionaries(st.sampled_from(sorted(REASONS)), st.integers(1, 366)),
    st.one_of(
        st.none(),
        st.builds(CountryRule, st.just("country"), st.just(("FR",)), st.just(())),
        st.builds(CountryRule, st.just("country"), st.just(()), st.just(("FR",))),
    ),
)


@given(programmes, all_facts, moments)
def test_the_evaluator_answers_whatever_it_is_asked(programme: Programme, facts: Facts, at: datetime) -> None:
    """It never raises, leaves out no rule, gives a reason for each, and a fix for each that is not met."""
    trace = evaluate(programme, facts, at)
    looked_at = {code for code in RULES if programme.eligibility[code] != IGNORE}
    assert {line.code for line in trace.lines} == looked_at | set(ALWAYS)
    found = {line.outcome for line in trace.lines}
    expected = REFUSED if NOT_MET in found else A_PERSON if NEEDS_PERSON in found else ALLOW
    assert trace.outcome == expected
    for line in trace.lines:
        assert line.reason
        assert bool(line.change) == (line.outcome != MET)


@given(programmes, all_facts, moments)
def test_a_stricter_programme_never_lets_more_people_ask(programme: Programme, facts: Facts, at: datetime) -> None:
    order = [ALLOW, A_PERSON, REFUSED]
    strict = replace(programme, eligibility=dict.fromkeys(RULES, REFUSE))
    assert order.index(evaluate(strict, facts, at).outcome) >= order.index(evaluate(programme, facts, at).outcome)
