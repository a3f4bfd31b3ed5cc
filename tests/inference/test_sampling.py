"""Choices follow the settings, and depend on nothing but logits, seed, sample, position and token."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from inference.backends.sampling import FIRST_PREFIX, Draw, choose, noise
from inference.contract import SamplingSettings


def draw(seed: int = 0, sample: int = 0, position: int = 0, **changes) -> Draw:
    return Draw(SamplingSettings(seed=seed, **changes), sample, position)


def distribution(logits: torch.Tensor, changes: dict) -> torch.Tensor:
    """Probabilities [vocabulary] by transformers' own warpers."""
    scores = TemperatureLogitsWarper(changes.get("temperature", 1.0))(None, logits[None])
    if changes.get("top_k"):
        scores = TopKLogitsWarper(changes["top_k"])(None, scores)
    if changes.get("top_p", 1.0) < 1:
        scores = TopPLogitsWarper(changes["top_p"])(None, scores)
    return scores[0].softmax(-1)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"temperature": 0.5},
        {"top_k": 3},
        {"top_p": 0.6},
        {"top_k": 5, "top_p": 0.7, "temperature": 1.5},
        {"top_k": 500},
    ],
)
def test_choices_have_the_frequencies_of_the_settings(changes):
    torch.manual_seed(0)
    logits, count = torch.randn(12) * 1.5, 4000
    draws = [draw(seed=at, **changes) for at in range(count)]
    tokens = torch.tensor([choice.token for choice in choose(logits.expand(count, -1), draws)])
    expected = distribution(logits, changes)
    found = tokens.bincount(minlength=12) / count
    assert set(tokens.tolist()) <= set(expected.nonzero()[:, 0].tolist())
    # Five standard errors, the seeds being fixed: this either always holds or never.
    assert ((found - expected).abs() <= 5 * (expected * (1 - expected) / count).sqrt() + 1e-3).all()


@given(k=st.integers(0, 40), p=st.floats(0.05, 1.0), temperature=st.floats(0.2, 3.0), seed=st.integers(0, 2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_a_choice_is_one_that_transformers_would_allow(k, p, temperature, seed):
    generator = torch.Generator().manual_seed(seed % 1000)
    logits = torch.randn(1, 40, generator=generator)
    changes = {"top_k": k, "top_p": p, "temperature": temperature}
    (choice,) = choose(logits, [draw(seed, **changes)])
    assert distribution(logits[0], changes)[choice.token] > 0


def test_top_p_looks_beyond_its_first_prefix_when_it_must():
    vocabulary = 8 * FIRST_PREFIX
    flat = torch.zeros(2, vocabulary)
    flat[1] -= torch.arange(vocabulary) * 0.5  # this row is settled within the prefix
    draws = [draw(seed, top_p=0.9) for seed in range(50) for _ in range(2)]
    tokens = [choice.token for choice in choose(flat.repeat(50, 1), draws)]
    assert max(tokens[0::2]) > FIRST_PREFIX
    assert max(tokens[1::2]) < 10


def test_company_changes_no_choice():
    torch.manual_seed(0)
    logits = torch.randn(6, 300)
    kinds = [{}, {"temperature": 0.0}, {"top_k": 5}, {"top_p": 0.5}, {"top_k": 200, "top_p": 0.9}, {"top_p": 0.999}]
    draws = [draw(at, sample=at, position=at, **changes) for at, changes in enumerate(kinds)]
    together = choose(logits, draws)
    alone = [choose(logits[at : at + 1], draws[at : at + 1])[0] for at in range(6)]
    assert [choice.token for choice in together] == [choice.token for choice in alone]


def test_noise_differs_by_seed_sample_position_and_token_and_is_gumbel():
    tokens = torch.arange(20_000)
    draws = [draw(1), draw(2), draw(1, sample=1), draw(1, position=1)]
    rows = noise(draws, tokens)
    assert len({row[0].item() for row in rows} | {rows[0, 1].item()}) == 5
    assert torch.equal(rows[0], noise(draws[:1], tokens)[0])
    assert torch.isfinite(rows).all()
    # Mean and variance of the Gumbel distribution.
    assert rows.mean(-1) == pytest.approx([0.5772] * 4, abs=0.05)
    assert rows.var(-1) == pytest.approx([math.pi**2 / 6] * 4, rel=0.05)
    assert torch.corrcoef(rows).fill_diagonal_(0).abs().max() < 0.03


def test_the_gap_says_how_close_the_second_was():
    logits = torch.tensor([[3.0, 1.0, 2.5]])
    (greedy,) = choose(logits, [draw(temperature=0.0)])
    assert (greedy.token, greedy.gap) == (0, 0.5)
    (sampled,) = choose(logits, [draw(7)])
    scores = (logits.double() + noise([draw(7)], torch.arange(3))).sort(descending=True).values[0]
    assert sampled.gap == pytest.approx(float(scores[0] - scores[1]))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_row_that_is_not_finite_has_no_choice_and_its_neighbour_has(bad):
    logits = torch.zeros(3, 5)
    logits[0, 2] = bad
    logits[2] = -torch.inf
    tokens = [choice.token for choice in choose(logits, [draw(temperature=t) for t in (1.0, 0.0, 0.0)])]
    assert tokens == [None, 0, None]
