"""Rank classes of GLTR."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.detection.gltr import RankCounts, count_ranks, rank_class


@pytest.mark.parametrize(
    ("rank", "expected"),
    [(1, 1), (10, 1), (11, 2), (100, 2), (101, 3), (1_000, 3), (1_001, 4), (49_152, 4)],
)
def test_the_classes_end_at_ten_a_hundred_and_a_thousand(rank: int, expected: int) -> None:
    assert rank_class(rank) == expected


@pytest.mark.parametrize("rank", [0, -1])
def test_a_rank_below_one_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match="start at 1"):
        rank_class(rank)


def test_a_token_without_rank_is_left_out() -> None:
    assert count_ranks([None, 1, 7, 50, 2_000]) == RankCounts((2, 1, 0, 1))


@given(st.lists(st.none() | st.integers(1, 60_000), max_size=80))
def test_every_ranked_token_falls_into_one_class(ranks: list[int | None]) -> None:
    counts = count_ranks(ranks)
    assert counts.total == sum(rank is not None for rank in ranks)
    assert counts.counts[3] == sum(rank is not None and rank > 1_000 for rank in ranks)
    assert sum(counts.fractions) == pytest.approx(1.0 if counts.total else 0.0)
