"""Choices follow the settings, and depend on nothing but logits, seed, sample, position and token."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from inference.backends.penalties import adjusted
from inference.backends.sampling import Draw, _weights, choose, noise
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


def nucleus(logits: torch.Tensor, top_p: float) -> set[int]:
    """Tokens of top-p by a sort of the whole vocabulary, with all that are as likely as the last."""
    probabilities = logits.double().softmax(-1)
    ordered = probabilities.sort(descending=True).values
    kept = int((ordered.cumsum(0) - ordered < top_p).sum())
    return set((probabilities >= ordered[kept - 1]).nonzero()[:, 0].tolist())


@pytest.mark.parametrize("spread", [0.01, 1.0, 4.0, 30.0])
@pytest.mark.parametrize("top_p", [0.001, 0.3, 0.9, 0.95, 0.999])
def test_top_p_without_a_sort_keeps_what_a_sort_keeps(spread, top_p):
    logits = torch.randn(20_000, generator=torch.Generator().manual_seed(3)) * spread
    kept = set(_weights(logits, draw(top_p=top_p)).nonzero()[:, 0].tolist())
    # Sums in single precision are off by 1e-7: a token at the very border may fall on either side.
    assert len(kept ^ nucleus(logits, top_p)) <= 1


@given(
    numbers=st.lists(st.integers(-4, 4), min_size=1, max_size=40),
    top_p=st.floats(0.01, 0.99),
    masked=st.integers(0, 3),
)
@settings(max_examples=200, deadline=None)
def test_of_equally_likely_tokens_top_p_keeps_all_or_none(numbers, top_p, masked):
    logits = torch.tensor([*map(float, numbers), *[-torch.inf] * masked])
    kept = set(_weights(logits, draw(top_p=top_p)).nonzero()[:, 0].tolist())
    assert {at for at, number in enumerate(numbers) if number in {numbers[each] for each in kept}} == kept
    probabilities = logits.double().softmax(-1)
    assert float(probabilities[list(kept)].sum()) >= top_p - 1e-6
    rarest = min(numbers[each] for each in kept)
    assert float(probabilities[[each for each in kept if numbers[each] > rarest]].sum()) < top_p + 1e-6


def test_no_token_that_double_precision_would_choose_is_lost_in_the_race():
    logits = torch.randn(40, 3000, generator=torch.Generator().manual_seed(5)) * 3
    for temperature in (0.01, 0.7, 5.0):
        draws = [draw(seed, temperature=temperature) for seed in range(40)]
        scores = logits.double() / temperature + noise(draws, torch.arange(3000))
        best = scores.topk(2)
        choices = choose(logits, draws)
        assert [choice.token for choice in choices] == best.indices[:, 0].tolist()
        gaps = (best.values[:, 0] - best.values[:, 1]).tolist()
        # Beyond 40 no noise brings a second token near: the gap may be said to be infinite.
        assert [min(choice.gap, 40) for choice in choices] == pytest.approx([min(gap, 40) for gap in gaps])


SEEN = {"prompt": (3, 4, 4), "output": [4, 7, 7, 1]}


def asking(**changes) -> Draw:
    return Draw(SamplingSettings(**changes), 0, 4, **SEEN)


def test_the_repetition_penalty_is_that_of_transformers_over_prompt_and_output():
    logits = torch.randn(1, 10, generator=torch.Generator().manual_seed(0))
    seen = torch.tensor([[*SEEN["prompt"], *SEEN["output"]]])
    for penalty in (0.5, 1.3, 2.0):
        expected = RepetitionPenaltyLogitsProcessor(penalty)(seen, logits.clone())
        assert torch.equal(adjusted(logits, [asking(repetition_penalty=penalty)]), expected)


def test_presence_and_frequency_are_taken_from_tokens_of_the_output():
    logits = torch.zeros(1, 10)
    (changed,) = adjusted(logits, [asking(presence_penalty=0.5, frequency_penalty=0.25)])
    assert changed.tolist() == [0, -0.75, 0, 0, -0.75, 0, 0, -1.0, 0, 0]
    nothing_yet = Draw(SamplingSettings(presence_penalty=2.0, frequency_penalty=2.0), 0, 0, prompt=(1, 2))
    assert torch.equal(adjusted(logits, [nothing_yet]), logits)


def test_a_bias_is_that_of_transformers_and_is_added_after_the_penalties():
    logits = torch.randn(1, 10, generator=torch.Generator().manual_seed(0))
    expected = SequenceBiasLogitsProcessor([[[7], 5.0], [[2], -100.0]])(torch.tensor([[1]]), logits.clone())
    bias = ((7, 5.0), (2, -100.0))
    assert torch.allclose(adjusted(logits, [asking(logit_bias=bias)]), expected)
    both = adjusted(logits, [asking(logit_bias=bias, repetition_penalty=2.0)])
    penalised = adjusted(logits, [asking(repetition_penalty=2.0)])
    assert torch.allclose(both - penalised, expected - logits)


def test_penalties_and_bias_decide_what_is_chosen():
    logits = torch.tensor([[2.0, 1.9, 0.0]])
    plain = Draw(SamplingSettings(temperature=0.0), 0, 1, (), [0])
    penalised = Draw(SamplingSettings(temperature=0.0, frequency_penalty=0.2), 0, 1, (), [0])
    banned = Draw(SamplingSettings(temperature=0.0, logit_bias=((0, -100.0), (1, -100.0))), 0, 1)
    assert [choose(logits, [each])[0].token for each in (plain, penalised, banned)] == [0, 1, 2]


def test_rows_that_ask_for_nothing_are_not_copied_and_no_row_is_written_to():
    logits = torch.randn(3, 10, generator=torch.Generator().manual_seed(0))
    assert adjusted(logits, [draw(), draw(top_k=3)]) is logits
    kept = logits.clone()
    choose(logits, [draw(1), asking(repetition_penalty=3.0, logit_bias=((1, 9.0),)), draw(temperature=0.0)])
    assert torch.equal(logits, kept)


def test_company_changes_no_choice():
    torch.manual_seed(0)
    kinds = [
        *({}, {"temperature": 0.0}, {"top_k": 5}, {"top_p": 0.5}, {"top_k": 200, "top_p": 0.9}, {"top_p": 0.999}),
        *({"repetition_penalty": 2.0}, {"temperature": 0.0, "frequency_penalty": 1.0}, {"logit_bias": ((5, 4.0),)}),
    ]
    logits = torch.randn(len(kinds), 300)
    draws = [Draw(SamplingSettings(seed=at, **changes), at, at, (1, 2), range(at)) for at, changes in enumerate(kinds)]
    together = choose(logits, draws)
    alone = [choose(logits[at : at + 1], draws[at : at + 1])[0] for at in range(len(kinds))]
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
