"""The safety checklist: 24 items, each answered with a reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.evidence.checklist import (
    ANSWERS,
    IDS,
    ITEMS,
    digest,
    draft_problems,
    item_of,
    normalised,
    problems,
    unanswered,
)

REASON = "It was done in March."
WHOLE = {key: {"answer": "yes", "reason": REASON, "evidence": []} for key in IDS}


def but(key: str, **change: Any) -> dict[str, Any]:
    return {**WHOLE, key: {**WHOLE["1"], **change}}


def test_there_are_24_items_each_with_a_title_and_a_question() -> None:
    assert [item.id for item in ITEMS] == list(range(1, 25))
    assert len({item.title for item in ITEMS}) == len({item.question for item in ITEMS}) == 24
    assert all(item.question.endswith("?") and len(item.title) <= 24 for item in ITEMS)
    assert item_of(24).title == "Next review"
    for unknown in (0, 25):
        with pytest.raises(KeyError):
            item_of(unknown)


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_every_item_with_an_answer_and_a_reason_is_complete(answer: str) -> None:
    assert problems(but("3", answer=answer), known_evidence=()) == []
    assert unanswered(but("3", answer=answer)) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [({"answer": ""}, "not answered: Attempts"), ({"reason": "Yes."}, "no reason"), ({"reason": " "}, "no reason")],
)
def test_an_item_without_answer_or_sentence_is_open_but_can_be_stored(change: dict[str, str], words: str) -> None:
    answers = but("3", **change)
    assert unanswered(answers) == [3]
    assert [problem.field for problem in problems(answers)] == ["item_3"]
    assert words in problems(answers)[0].reason
    assert draft_problems(answers) == []


def test_an_empty_checklist_has_every_item_open_and_can_be_stored() -> None:
    assert unanswered({}) == [item.id for item in ITEMS]
    assert len(problems({})) == 24
    assert draft_problems({}) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"answer": "maybe"}, "'maybe' is none of"),
        ({"answer": ["yes"]}, "is none of"),
        ({"reason": "x" * 5_001}, "at most 5,000 characters"),
        ({"reason": "no\x00text here"}, "must be text"),
        ({"reason": 7}, "must be text"),
        ({"evidence": "12"}, "a list of"),
        ({"evidence": [True]}, "a list of"),
        ({"evidence": [0]}, "a list of"),
        ({"evidence": [1] * 51}, "at most 50 ids"),
        ({"evidence": [1, 99]}, "has no evidence 99"),
        ({"signed": "me"}, "answer, reason and evidence"),
    ],
)
def test_an_answer_that_cannot_be_stored_is_refused_at_its_item(change: dict[str, Any], words: str) -> None:
    found = draft_problems(but("9", **change), known_evidence={1})
    assert [problem.field for problem in found] == ["item_9"]
    assert words in found[0].reason
    assert [problem.field for problem in problems(but("9", **change), known_evidence={1})] == ["item_9"]


@pytest.mark.parametrize("key", ["0", "25", "01", "one", ""])
def test_an_unknown_item_is_refused(key: str) -> None:
    assert [problem.field for problem in draft_problems({key: WHOLE["1"]})] == ["item"]


def test_an_answer_that_is_no_table_is_refused() -> None:
    answers: Any = {"1": "yes"}
    assert "answer, reason and evidence" in draft_problems(answers)[0].reason
    assert unanswered(answers)[0] == 1


ANSWER = st.fixed_dictionaries(
    {}, optional={
        "answer": st.sampled_from(["", *ANSWERS]),
        "reason": st.text(max_size=20),
        "evidence": st.lists(st.integers(1, 9), max_size=3),
    },
)  # fmt: skip


@given(st.dictionaries(st.sampled_from(IDS), ANSWER, max_size=4))
def test_normalising_twice_changes_nothing_and_keeps_the_digest(answers: dict[str, Any]) -> None:
    once = normalised(answers)
    assert normalised(once) == once
    assert digest(once) == digest(answers)
    assert unanswered(once) == unanswered(answers)
