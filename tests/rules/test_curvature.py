"""The analytic curvature of Fast-DetectGPT, against the definition computed token by token from distributions."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import ScoredToken, ScoreResult
from release_portal.detection.curvature import curvature
from release_portal.detection.evidence import Evidence, measure

FIRST = ScoredToken("The", 0, 3)


def scored(distribution: list[float], chosen: int) -> ScoredToken:
    """A token as the worker would score it under this distribution."""
    logs = [math.log(part) for part in distribution]
    mean = sum(part * log for part, log in zip(distribution, logs, strict=True))
    variance = sum(part * (log - mean) ** 2 for part, log in zip(distribution, logs, strict=True))
    rank = 1 + sum(part > distribution[chosen] for part in distribution)
    return ScoredToken(" x", 0, 2, logs[chosen], rank, -mean, mean, variance)


def test_it_equals_the_definition_on_a_small_example() -> None:
    """Two tokens over three words: the mean and spread of log p over every pair, each weighed with its probability."""
    one, two = [0.5, 0.3, 0.2], [0.7, 0.2, 0.1]
    pairs = [(p * q, math.log(p) + math.log(q)) for p in one for q in two]
    mean = sum(weight * log for weight, log in pairs)
    deviation = math.sqrt(sum(weight * (log - mean) ** 2 for weight, log in pairs))
    direct = (math.log(0.5) + math.log(0.2) - mean) / deviation
    assert curvature([FIRST, scored(one, 0), scored(two, 1)]) == pytest.approx(direct)


def distributions() -> st.SearchStrategy[tuple[list[float], int]]:
    weights = st.lists(st.integers(1, 50), min_size=2, max_size=6, unique=True)
    parts = weights.map(lambda found: [weight / sum(found) for weight in found])
    return parts.flatmap(lambda found: st.tuples(st.just(found), st.integers(0, len(found) - 1)))


@given(st.lists(distributions(), min_size=1, max_size=12))
def test_always_taking_the_first_choice_is_never_below_what_was_taken(chosen: list[tuple[list[float], int]]) -> None:
    taken = curvature([scored(parts, number) for parts, number in chosen])
    greedy = curvature([scored(parts, parts.index(max(parts))) for parts, _ in chosen])
    assert taken is not None
    assert greedy is not None
    assert greedy >= taken - 1e-9
    assert greedy > 0


@given(st.lists(distributions(), min_size=1, max_size=12))
def test_the_order_of_the_tokens_makes_no_difference(chosen: list[tuple[list[float], int]]) -> None:
    tokens = [scored(parts, number) for parts, number in chosen]
    assert curvature(tokens) == pytest.approx(curvature(list(reversed(tokens))))


@given(distributions())
def test_its_expectation_under_the_model_is_zero(found: tuple[list[float], int]) -> None:
    parts, _ = found
    values = [curvature([scored(parts, number)]) or 0.0 for number in range(len(parts))]
    assert sum(part * value for part, value in zip(parts, values, strict=True)) == pytest.approx(0, abs=1e-9)


def test_a_model_that_leaves_nothing_open_has_no_curvature() -> None:
    assert curvature([ScoredToken("a", 0, 1, 0.0, 1, 0.0, 0.0, 0.0)]) is None
    assert curvature([FIRST]) is None


def test_a_scored_token_without_its_spread_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks"):
        curvature([replace(scored([0.5, 0.3, 0.2], 0), variance=None)])


def test_the_evidence_of_a_text_counts_only_scored_tokens() -> None:
    tokens = (FIRST, scored([0.5, 0.3, 0.2], 0), scored([0.7, 0.2, 0.1], 2))
    evidence = measure(ScoreResult(tokens, 2))
    assert (evidence.tokens, evidence.scored, evidence.ranks.counts) == (3, 2, (2, 0, 0, 0))
    assert evidence.mean_logprob == pytest.approx((math.log(0.5) + math.log(0.1)) / 2)
    assert evidence.curvature == curvature(tokens)
    assert Evidence.from_data(evidence.to_data()) == evidence


@pytest.mark.parametrize("tokens", [(), (FIRST,), (replace(scored([0.6, 0.4], 0), logprob=math.nan),)])
def test_a_score_without_usable_numbers_is_refused(tokens: tuple[ScoredToken, ...]) -> None:
    with pytest.raises(ValueError, match="numbers"):
        measure(ScoreResult(tokens, 0))
