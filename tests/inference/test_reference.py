"""The reference of the tests of agreement calls a choice close exactly where a hair's breadth decides it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from inference.contract import Function, Order, SamplingSettings
from inference.engine.request import Request
from tests.inference.fakes import make_permit
from tests.inference.reference import CLOSE, chosen_by_reference

# After the first token three quarters are reached, after the second nine tenths: the third is beside the border.
CHANCES = [0.75, 0.15, 0.1]
SEEDS = range(40)


def _model(ids: torch.Tensor) -> Any:
    return SimpleNamespace(logits=torch.tensor([[CHANCES, CHANCES]]).log())  # [1, tokens, vocabulary]


def gaps_at(top_p: float) -> list[float]:
    """How close the choice among three tokens is, for forty seeds."""
    gaps = []
    for seed in SEEDS:
        settings = SamplingSettings(max_tokens=1, temperature=1.0, top_p=top_p, seed=seed)
        request = Request(Order(Function.GENERATE, "a", settings), make_permit(), [0], decode=str)
        gaps += chosen_by_reference(_model, (request, [0]))[1]
    return gaps


def test_a_token_on_the_border_of_top_p_is_a_close_choice() -> None:
    beside = sum(gap == 0 for gap in gaps_at(0.90001))
    assert 0 < beside < len(SEEDS), "where the third token would win, and nowhere else"


@pytest.mark.parametrize("top_p", [0.8, 0.95])
def test_a_choice_away_from_the_border_is_as_close_as_the_second_best(top_p: float) -> None:
    assert min(gaps_at(top_p)) > CLOSE
