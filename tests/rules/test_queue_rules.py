"""Load, promises, expected ranges and questions: the rules without a database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.application_rules import WORKING_DAYS, due_after
from release_portal.access.questions.rules import (
    Field,
    change_problems,
    changes_between,
    content_digest,
    paused_time,
    replies_to,
)
from release_portal.access.queue.load_rules import CAP, Load, fewest
from release_portal.access.queue.promise_rules import STEPS, moment_of, next_step
from release_portal.access.queue.throughput_rules import FEWEST, Range, range_of
from release_portal.core.workdays import add_working_time, subtract_working_time, working_time_between

MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
moments = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
spans = st.timedeltas(timedelta(seconds=1), timedelta(days=40))

# --- Load ------------------------------------------------------------------------------------------------------------


def test_the_next_one_goes_to_whoever_has_the_fewest_in_hand() -> None:
    loads = [Load("1", "a", 2, 1), Load("2", "b", 0, 2), Load("10", "c", 2, 0)]
    assert fewest(loads) == loads[1], "two have two: the older account"
    assert fewest(loads, avoid=("2",)) == loads[2]
    assert fewest(loads[1:2], avoid=("2",)) == loads[1], "nobody else can"


def test_nobody_is_given_more_than_the_cap() -> None:
    full = Load("1", "a", 1, CAP - 1)
    assert not full.has_room
    assert fewest([full]) is None
    assert fewest([full, Load("2", "b", 0, CAP - 1)]) == Load("2", "b", 0, CAP - 1)


# --- Promises --------------------------------------------------------------------------------------------------------


@given(moments, st.sampled_from(sorted(WORKING_DAYS)))
def test_steps_lie_at_their_part_of_the_promise(at: datetime, tier: int) -> None:
    due, whole = due_after(at, tier), timedelta(days=WORKING_DAYS[tier])
    first, second, third = (moment_of(step, due, tier) for step in STEPS)
    assert working_time_between(first, due) == whole / 5
    assert second == due
    assert working_time_between(due, third) == whole / 2
    assert first < second < third


def test_each_step_comes_once_and_then_none() -> None:
    told, seen = 0, []
    while (step := next_step(told, MONDAY, 1)) is not None:
        told = step[0]
        seen.append(told)
    assert seen == [80, 100, 150]


@given(moments, spans)
def test_subtracting_working_time_is_the_opposite_of_adding_it(at: datetime, span: timedelta) -> None:
    assert working_time_between(subtract_working_time(at, span), at) == span
    end = add_working_time(at, span)
    assert working_time_between(subtract_working_time(end, span), end) == span


# --- Expected range --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", range(FEWEST))
def test_fewer_than_five_decisions_are_too_few_to_say(count: int) -> None:
    assert range_of([1.0] * count) is None


def test_the_range_is_median_to_ninetieth_percentile() -> None:
    assert range_of([5, 1, 2, 3, 4]) == Range(3, 5, 5)
    assert range_of([float(day) for day in range(1, 101)]) == Range(50.5, 90, 100)


@given(st.lists(st.floats(0, 100), min_size=FEWEST, max_size=60))
def test_nine_of_ten_took_no_longer(days: list[float]) -> None:
    found = range_of(days)
    assert found is not None
    assert sum(day <= found.most + 0.05 for day in days) >= 0.9 * len(days)
    assert found.middle <= found.most


# --- Questions -------------------------------------------------------------------------------------------------------


def test_rests_count_once_also_when_several_questions_share_one() -> None:
    one = (MONDAY, MONDAY + 2 * DAY)
    assert paused_time([one, one], MONDAY + 9 * DAY) == 2 * DAY
    assert paused_time([one, (MONDAY + DAY, MONDAY + 3 * DAY)], MONDAY + 9 * DAY) == 3 * DAY
    assert paused_time([one, (MONDAY + 5 * DAY, None)], MONDAY + 9 * DAY) == 6 * DAY
    assert paused_time([], MONDAY) == timedelta()


def test_an_answer_without_a_name_is_that_of_the_only_question() -> None:
    assert replies_to(["purpose"], {"": " So. "}) == {"purpose": "So."}
    assert replies_to(["", "purpose"], {"": "So."}) == {"": "So.", "purpose": ""}


def test_what_nobody_asked_about_stays() -> None:
    assert [one.field for one in change_problems(["", "purpose"], ["purpose", "affiliation", ""])] == [
        "",
        "affiliation",
    ]


def test_changes_name_old_and_new_in_the_order_of_the_form() -> None:
    before = {key: Field(key, key.upper(), "same") for key in ("b", "a", "c")}
    after = before | {"c": Field("c", "C", "new"), "b": Field("b", "B", "")}
    assert [(one.key, one.old, one.new) for one in changes_between(before, after)] == [
        ("b", "same", ""),
        ("c", "same", "new"),
    ]


@given(st.text(max_size=9), st.text(max_size=9), st.text(max_size=9), st.text(max_size=9))
def test_equal_digests_are_equal_content(one: str, other: str, reply: str, more: str) -> None:
    def digest(text: str, answer: str) -> str:
        return content_digest([Field("a", "A", text), Field("b", "B", other)], [("", answer)])

    assert (digest(one, reply) == digest(other, more)) == ((one, reply) == (other, more))
    assert content_digest([Field("a", "A", one)], []) != content_digest([Field("a", "A", one)], [("", "")])
