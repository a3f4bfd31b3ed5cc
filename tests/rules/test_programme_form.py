"""The answers to a programme's questions, and the review steps that it may add."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.application_rules import DECIDERS, REVIEWERS, SECOND_REVIEW, STATES, Answers, needs_two
from release_portal.access.programmes.form_rules import (
    carried,
    end_problems,
    field_of,
    missing_answers,
    new_questions,
    readable_by,
    sent_answers,
    shown_answer,
    summary_problems,
    unreadable_answers,
    unreadable_summary,
)
from release_portal.access.programmes.programme_files import packaged_text, parse, preset
from release_portal.access.programmes.programme_rules import (
    CHECKBOX,
    CHOICE,
    COUNTRY,
    DATE,
    FILE,
    KINDS,
    LONG_TEXT,
    REQUIRED,
    TEXT,
    TEXTS,
    FormQuestion,
)
from release_portal.access.review_rules import outcome
from release_portal.access.review_steps import TIERS, Step, house_step, is_weaker, step_at

READERS = ("access_lead",)


def question(kind: str, key: str = "one", **more: object) -> FormQuestion:
    values = {"choices": (("a", "The first"), ("b", "The second"))} if kind == CHOICE else {}
    values |= {"longest": 10} if kind in TEXTS else {}
    return FormQuestion(key, kind, f"A {kind}?", "Because.", READERS, **{**values, **more})  # type: ignore[arg-type]


FORM = replace(preset("research"), questions=tuple(question(kind, kind.replace(" ", "_")) for kind in KINDS))
GOOD = {"text": "words", "long_text": "words", "choice": "a", "date": "2030-01-31", "country": "FR", "checkbox": "yes"}


def test_every_kind_of_answer_is_kept() -> None:
    assert unreadable_answers(FORM, GOOD) == []
    assert unreadable_answers(FORM, dict.fromkeys(GOOD, "")) == []
    assert carried(FORM, GOOD) == GOOD
    shown = {key: shown_answer(FORM.question(key), value) for key, value in GOOD.items()}  # type: ignore[arg-type]
    assert shown == {**GOOD, "choice": "The first", "country": "France", "checkbox": "confirmed"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("text", "eleven char"), ("text", "a\x00b"), ("long_text", "x" * 11), ("choice", "c"), ("choice", "The first"),
        ("date", "31.1.2030"), ("date", "2030-02-30"), ("date", "20300131"), ("country", "ZZ"), ("country", "fr"),
        ("checkbox", "on"), ("file", "anything"), ("unknown", "x"), ("unknown", ""),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_named_at_its_field(key: str, value: str) -> None:
    (problem,) = unreadable_answers(FORM, {key: value})
    assert problem.field == field_of(key)
    assert problem.reason
    assert carried(FORM, {key: value}) == {}


@pytest.mark.parametrize("kind", KINDS)
def test_a_required_question_is_missing_until_it_is_answered(kind: str) -> None:
    key = kind.replace(" ", "_")
    form = replace(FORM, questions=(question(kind, key, required=True),))
    (problem,) = missing_answers(form, Answers())
    assert problem.field == field_of(key)
    answered = Answers(more={key: GOOD.get(key, "")})
    assert missing_answers(form, answered, files=[key] if kind == FILE else []) == []


def test_a_question_for_some_purposes_is_asked_of_these_alone() -> None:
    form = replace(FORM, questions=(question(TEXT, required=True, only_for=("P05",)),))
    assert missing_answers(form, Answers(purpose_code="P01")) == []
    assert len(missing_answers(form, Answers(purpose_code="P05"))) == 1
    kept = Answers(purpose_code="P01", more={"one": "words"})
    assert sent_answers(form, kept) == {}, "what nobody asked for is not handed in"
    assert sent_answers(form, replace(kept, purpose_code="P05")) == {"one": "words"}


def test_only_those_whom_the_form_named_read_an_answer() -> None:
    assert readable_by(question(TEXT), {"access_lead"})
    assert not readable_by(question(TEXT), {"safety_reviewer", "administrator"})


def test_a_summary_is_asked_or_required_and_says_something() -> None:
    asked, required = FORM, replace(FORM, summary=REQUIRED)
    assert summary_problems(asked, Answers()) == []
    assert len(summary_problems(required, Answers())) == 1
    assert len(summary_problems(asked, Answers(summary="Short."))) == 1
    words = "We study how short a text may be and still be recognised."
    assert summary_problems(required, Answers(summary=words)) == []
    assert summary_problems(required, Answers(summary=words, summary_withheld="An embargo.")) == []
    assert len(summary_problems(asked, Answers(summary_withheld="An embargo."))) == 1


def test_a_summary_that_cannot_be_kept_is_refused() -> None:
    found = unreadable_summary(Answers(summary="x" * 5_001, summary_withheld="a\x00b"))
    assert [problem.field for problem in found] == ["summary", "summary_withheld"]


def test_the_longest_end_of_the_programme_holds() -> None:
    today = date(2030, 1, 1)
    form = replace(FORM, longest_days=30)
    assert end_problems(form, today + timedelta(days=29), today, field="last_day") == []
    (problem,) = end_problems(form, today + timedelta(days=30), today, field="last_day")
    assert (problem.field, "30 January 2030" not in problem.reason) == ("last_day", False)
    assert end_problems(form, None, today, field="last_day") == []


def test_T16_a_newer_form_keeps_the_answers_that_it_can_and_asks_only_what_is_new() -> None:
    old = replace(FORM, questions=(question(TEXT, "stays"), question(CHOICE, "changes"), question(DATE, "goes")))
    new = replace(
        FORM,
        questions=(
            question(TEXT, "stays", longest=50),
            question(CHOICE, "changes", choices=(("b", "The second"), ("c", "The third"))),
            question(COUNTRY, "comes", required=True),
            question(CHECKBOX, "special", only_for=("P05",)),
        ),
    )
    answers = Answers(purpose_code="P01", more={"stays": "words", "changes": "a", "goes": "2030-01-31"})
    assert carried(new, answers.more) == {"stays": "words"}
    assert [one.key for one in new_questions(old, new, answers)] == ["changes", "comes"]
    kept = replace(answers, more={**answers.more, "changes": "b"})
    assert [one.key for one in new_questions(old, new, kept)] == ["comes"], "an answer that still stands is not asked"
    assert new_questions(old, old, answers) == []


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(sorted(GOOD)), st.text(max_size=12), max_size=8))
def test_what_a_form_carries_it_can_read_and_it_carries_it_again(more: dict[str, str]) -> None:
    kept = carried(FORM, more)
    assert unreadable_answers(FORM, kept) == []
    assert carried(FORM, kept) == kept
    assert set(kept.items()) <= set(more.items())


def test_the_packaged_forms_use_every_kind_but_the_file() -> None:
    used = {
        one.kind for name in ("research", "partner", "demo-research") for one in parse(packaged_text(name)).questions
    }
    assert used == set(KINDS) - {FILE}
    assert LONG_TEXT in used


# --- Steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DECIDERS)
@pytest.mark.parametrize("tier", TIERS)
def test_fewer_people_or_other_roles_than_the_house_are_weaker(kind: str, tier: int) -> None:
    house = house_step(kind, tier)
    assert is_weaker(house, kind, tier) == ""
    assert is_weaker(Step(3, REVIEWERS), kind, tier) == ""
    assert is_weaker(Step(house.people - 1, house.roles), kind, tier)
    assert is_weaker(Step(house.people, ()), kind, tier)
    assert is_weaker(Step(house.people, ("administrator",)), kind, tier)


@given(st.integers(0, 3), st.integers(1, 3), st.sampled_from(STATES), st.sampled_from(sorted(DECIDERS)))
def test_a_step_that_is_not_weaker_never_takes_the_second_person_away(
    tier: int, people: int, state: str, kind: str
) -> None:
    step = Step(people, REVIEWERS if people > 1 else (DECIDERS[kind],))
    if is_weaker(step, kind, tier):
        return
    if needs_two(state, tier):
        assert step_at(step, state).people >= 2
        assert needs_two(state, tier, step.people)
    if state == SECOND_REVIEW:
        assert step_at(step, state).people >= 2


@pytest.mark.parametrize(
    ("verdicts", "people", "state"),
    [
        (["approve", "approve"], 2, "granted"),
        (["approve", "approve"], 3, "second_review"),
        (["approve", "refuse", "approve", "approve"], 3, "granted"),
        (["approve", "approve", "refuse", "refuse"], 3, "refused"),
        (["approve"], 1, "second_review"),
    ],
)
def test_as_many_must_approve_as_the_programme_says(verdicts: list[str], people: int, state: str) -> None:
    assert outcome(verdicts, people) == state
