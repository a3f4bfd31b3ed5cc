"""A file of requests is read line by line; how many run at once; what a line that ended badly does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import FinishReason
from release_portal.access.quota import Left, Limits
from release_portal.batches.lines import LONGEST_ID, Reading, check_file, named_url, read_lines
from release_portal.batches.rules import (
    BATCH,
    CANCELLING,
    FAULTY,
    MOST_FAULTS,
    MOST_IN_ALL,
    OPEN,
    STATES,
    UNLUCKY,
    is_tried_again,
    is_worth_waiting,
    room_for,
    share_of,
)
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow, PortalError, TooMuch, Unavailable

URL = "/v1/completions"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def taken(body: Mapping[str, Any]) -> None:
    """A check that has nothing to say."""


def line(custom_id: str = "a", **changes: Any) -> dict[str, Any]:
    return {"custom_id": custom_id, "method": "POST", "url": URL, "body": {"prompt": "x"}} | changes


def read(*lines: Any) -> Reading:
    return read_lines("\n".join(json.dumps(one) for one in lines).encode(), URL, taken)


def named(reading: Reading) -> list[tuple[int | None, str | None, str]]:
    return [(one.line, one.param, one.code) for one in reading.problems]


def test_lines_are_read_in_their_order_with_their_numbers() -> None:
    reading = read_lines(
        b"\xef\xbb\xbf" + json.dumps(line("a")).encode() + b"\r\n\n  \n" + json.dumps(line("b")).encode() + b"\n",
        URL,
        taken,
    )
    assert reading.problems == ()
    assert [(one.number, one.custom_id, one.body) for one in reading.lines] == [
        (1, "a", {"prompt": "x"}),
        (4, "b", {"prompt": "x"}),
    ]


@pytest.mark.parametrize(
    ("wrong", "param", "code"),
    [
        (line(custom_id=""), "custom_id", "invalid_value"),
        (line(custom_id="x" * (LONGEST_ID + 1)), "custom_id", "invalid_value"),
        (line(custom_id=7), "custom_id", "invalid_value"),
        (line("good"), "custom_id", "duplicate_custom_id"),
        (line(method="GET"), "method", "invalid_value"),
        (line(url="/v1/chat/completions"), "url", "invalid_value"),
        (line(body=[]), "body", "invalid_value"),
        (line(extra=1), "extra", "invalid_value"),
        ([1], None, "invalid_json_line"),
        (line("\ud800"), None, "invalid_utf8"),
    ],
)
def test_a_wrong_line_is_named_by_number_and_field_and_the_others_are_read(wrong: Any, param: str, code: str) -> None:
    reading = read(line("good"), wrong, line("last"))
    assert named(reading) == [(2, param, code)]
    assert [one.custom_id for one in reading.lines] == ["good", "last"]


def test_what_the_address_says_of_a_body_is_the_problem_of_its_line() -> None:
    def check(body: Mapping[str, Any]) -> None:
        if body.get("prompt") == "bad":
            raise InvalidInput("No.", field="body.prompt", code="x", change="Write another.")

    reading = read_lines(json.dumps(line(body={"prompt": "bad"})).encode(), URL, check)
    assert [one.to_data() for one in reading.problems] == [
        {"line": 1, "param": "body.prompt", "message": "No. Write another.", "code": "x"}
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([line(url="/v1/b"), line(url="/v1/a")], "/v1/b"),
        ([line(url="/v1/nothing"), line(url="/v1/b")], "/v1/b"),
        (["not json", line(url=["/v1/b"]), line(url="/v1/b")], "/v1/b"),
        ([line(url="/v1/nothing")], "/v1/a"),
        ([], "/v1/a"),
    ],
)
def test_a_file_names_the_first_address_of_those_offered(content: list[Any], expected: str) -> None:
    text = "\n".join(one if isinstance(one, str) else json.dumps(one) for one in content)
    assert named_url(text.encode(), ("/v1/a", "/v1/b")) == expected


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reading(content: bytes) -> None:
    reading = read_lines(content, URL, taken)
    numbers = [one.number for one in reading.lines] + [one.line for one in reading.problems]
    assert len(numbers) == len(set(numbers))


@given(
    st.lists(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["custom_id", "method", "url", "body", "x"]), inner, max_size=4)
            ),
            max_leaves=8,
        ),
        max_size=5,
    )
)
def test_every_line_of_any_json_is_a_request_or_one_problem(lines: list[Any]) -> None:
    reading = read(*lines)
    found = sorted([one.number for one in reading.lines] + [one.line or 0 for one in reading.problems])
    assert found == list(range(1, len(lines) + 1))


@pytest.mark.parametrize("junk", [b"[" * 100_000, b'{"a":' + b"9" * 10_000 + b"}", b"\xff", b"{", b"NaN", b"\x00"])
def test_junk_is_a_problem_of_its_line(junk: bytes) -> None:
    reading = read_lines(junk + b"\n" + json.dumps(line()).encode(), URL, taken)
    assert [one.line for one in reading.problems] == [1]
    assert len(reading.lines) == 1


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"", "file_empty"), (b"\n \n", "file_empty"), (b"1\n2\n3\n", "too_many_lines"), (b"x" * 101, "file_too_large")],
)
def test_a_file_that_is_empty_or_too_large_is_not_taken(content: bytes, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_file(content, most_bytes=100, most_lines=2)
    assert (caught.value.field, caught.value.code) == ("file", code)
    assert check_file(b"1\n\n2", most_bytes=100, most_lines=2) == 2


# --- Refused and ended lines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "alone", "beside"),
    [
        (Unavailable("x", code="no_worker"), True, True),
        (TooMuch("x", code="overloaded"), True, True),
        (TooMuch("x", code="concurrent"), True, True),
        (TooMuch("x", code="requests_per_minute"), True, True),
        (TooMuch("x", code="tokens_per_day"), False, True),
        (NotAllowed("x"), False, False),
        (NotNow("x"), False, False),
        (InvalidInput("x"), False, False),
    ],
)
def test_what_passes_by_itself_is_waited_for_and_everything_else_fails_the_line(
    error: PortalError, alone: bool, beside: bool
) -> None:
    """A day's quota may be used up only by what running lines have set aside: then it is asked again without them."""
    assert (is_worth_waiting(error, 0), is_worth_waiting(error, 1)) == (alone, beside)


@pytest.mark.parametrize("reason", list(FinishReason))
def test_a_line_is_tried_again_after_bad_luck_always_and_after_faults_a_few_times(reason: FinishReason) -> None:
    tries = [is_tried_again(reason, faults) for faults in range(MOST_FAULTS)]
    if reason in UNLUCKY:
        assert all(tries)
    else:
        assert tries == [reason in FAULTY] * (MOST_FAULTS - 1) + [False]


# --- How many run ----------------------------------------------------------------------------------------------------


def left(at_once: int, requests: int = 100) -> Left:
    return Left(1_000, requests, at_once, NOON + timedelta(hours=1), None)


@pytest.mark.parametrize(
    ("share", "running", "concurrent", "at_once", "requests", "room"),
    [
        (8, 0, 20, 20, 100, 8),
        (8, 3, 20, 17, 100, 5),
        (8, 0, 4, 4, 100, 3),  # one place stays free for whoever asks beside the batch
        (8, 3, 4, 1, 100, 0),
        (8, 0, 1, 1, 100, 1),  # who has one place only uses it for either
        (8, 0, 20, 20, 27, 2),  # a quarter of the minute stays free too
        (8, 0, 20, 20, 25, 0),
        (8, 9, 20, 11, 100, 0),  # the setting was lowered meanwhile
    ],
)
def test_a_batch_leaves_room_for_its_own_holder(
    share: int, running: int, concurrent: int, at_once: int, requests: int, room: int
) -> None:
    assert room_for(share, running, Limits(1_000, 100, concurrent), left(at_once, requests)) == room


@given(st.integers(1, 100), st.integers(0, 200))
def test_all_batches_together_stay_below_their_part_unless_each_has_one_line(most: int, batches: int) -> None:
    share = share_of(most, batches)
    assert 1 <= share <= most
    assert share == 1 or share * batches <= MOST_IN_ALL


def test_a_batch_that_ended_takes_no_command() -> None:
    for state in STATES:
        commands = {one.name for one in BATCH.available(state, {"owner", "system"})}
        assert bool(commands) == (state in OPEN | {"validating", "finalizing"})
    assert not BATCH.decide("cancel", CANCELLING, {"owner"})
    assert not BATCH.decide("cancel", "in_progress", {"system"})
