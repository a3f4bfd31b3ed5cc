"""How much may be used: never more than the limits, and a refusal says when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.quota import Left, Limits, Usage, day_end, decide_quota, left_of
from release_portal.core.decisions import Refusal

AT = datetime(2026, 2, 28, 12, tzinfo=UTC)
LIMITS = Limits(tokens_per_day=1_000, requests_per_minute=3, concurrent=2)
NOTHING = Usage(0, 0, (), 0)
MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("usage", "asked", "code"),
    [
        (NOTHING, 1_000, "within_quota"),
        (NOTHING, 1_001, "tokens_per_day"),
        (Usage(400, 600, (), 0), 0, "within_quota"),
        (Usage(400, 600, (), 0), 1, "tokens_per_day"),
        (Usage(2_000, 0, (), 0), 1, "tokens_per_day"),
        (Usage(0, 0, (), 1), 1, "within_quota"),
        (Usage(0, 0, (), 2), 1, "concurrent"),
        (Usage(0, 0, (AT, AT), 0), 1, "within_quota"),
        (Usage(0, 0, (AT, AT, AT), 0), 1, "requests_per_minute"),
    ],
)
def test_at_and_just_beyond_each_limit(usage: Usage, asked: int, code: str) -> None:
    """Seen to fail with `asked > left` made `asked >= left`, and `>=` made `>` in the other two."""
    decision = decide_quota(LIMITS, usage, asked, AT)
    assert decision.code == code
    assert decision.allowed == (code == "within_quota")


@pytest.mark.parametrize(
    ("usage", "tokens", "requests", "at_once"),
    [
        (NOTHING, 1_000, 3, 2),
        (Usage(400, 599, (AT,), 1), 1, 2, 1),
        (Usage(400, 600, (AT, AT, AT), 2), 0, 0, 0),
        (Usage(2_000, 5, (AT,) * 5, 9), 0, 0, 0),  # the limits were lowered meanwhile
    ],
)
def test_what_is_left_is_what_the_rule_would_still_allow(
    usage: Usage, tokens: int, requests: int, at_once: int
) -> None:
    left = left_of(LIMITS, usage, AT)
    returns_at = usage.recent[0] + MINUTE if usage.recent else None
    assert left == Left(tokens, requests, at_once, day_end(AT), returns_at)
    fits = decide_quota(LIMITS, usage, tokens, AT).allowed
    assert fits == (requests > 0 and at_once > 0), "with room, exactly what is left may be asked for"
    assert not decide_quota(LIMITS, usage, tokens + 1, AT)


def test_too_much_says_when_it_is_worth_trying_again() -> None:
    first = AT - timedelta(seconds=50)
    minute = decide_quota(LIMITS, Usage(0, 0, (first, AT, AT), 0), 1, AT)
    assert minute.refusal is Refusal.TOO_MUCH
    assert minute.retry_at == first + MINUTE
    assert decide_quota(LIMITS, NOTHING, 2_000, AT).retry_at == datetime(2026, 3, 1, tzinfo=UTC)


def test_the_minute_is_free_again_when_the_request_that_fills_it_is_a_minute_old() -> None:
    """With more requests than the limit (it was lowered meanwhile), the one that must leave is not the oldest."""
    recent = tuple(AT - timedelta(seconds=50 - 10 * number) for number in range(5))
    assert decide_quota(LIMITS, Usage(0, 0, recent, 0), 1, AT).retry_at == recent[2] + MINUTE


def test_the_day_ends_at_midnight_utc_wherever_the_asker_lives() -> None:
    tokyo = datetime(2024, 2, 29, 8, tzinfo=timezone(timedelta(hours=9)))  # 28 February, 23:00 UTC
    assert day_end(tokyo) == datetime(2024, 2, 29, tzinfo=UTC)
    assert day_end(datetime(2024, 2, 29, tzinfo=UTC)) == datetime(2024, 3, 1, tzinfo=UTC)


whole = st.integers(0, 2_000)


@given(
    limits=st.builds(Limits, tokens_per_day=whole, requests_per_minute=st.integers(1, 5), concurrent=st.integers(1, 5)),
    tokens=whole,
    reserved=whole,
    ages=st.lists(st.floats(0, 59.9), max_size=8),
    running=st.integers(0, 6),
    asked=st.integers(1, 2_000),
)
def test_a_yes_never_passes_any_limit_and_a_no_always_comes_with_a_later_time(
    limits: Limits, tokens: int, reserved: int, ages: list[float], running: int, asked: int
) -> None:
    recent = tuple(sorted(AT - timedelta(seconds=age) for age in ages))
    decision = decide_quota(limits, Usage(tokens, reserved, recent, running), asked, AT)
    fits = (
        tokens + reserved + asked <= limits.tokens_per_day
        and running + 1 <= limits.concurrent
        and len(recent) + 1 <= limits.requests_per_minute
    )
    assert decision.allowed == fits
    if not fits:
        assert decision.retry_at is not None
        assert decision.retry_at > AT
        assert decision.change


@given(asked=st.lists(st.integers(1, 400), max_size=30))
def test_requests_one_after_the_other_never_set_aside_more_than_the_day_holds(asked: list[int]) -> None:
    reserved = 0
    for tokens in asked:
        if decide_quota(LIMITS, Usage(0, reserved, (), 0), tokens, AT):
            reserved += tokens
    assert reserved <= LIMITS.tokens_per_day
