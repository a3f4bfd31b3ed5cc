"""Choosing the next token: penalties, watermark, bias, temperature, top-k, top-p, Gumbel-max with noise from a counter.

The noise of a token depends on (seed, sample, position, token id) and on nothing else. A generator per request would
not do: sums in another order, as they happen when the batch changes, move a probability by 1e-5, and inverting a
cumulative sum turns that into another token far more often than comparing logits plus noise does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from inference.backends.penalties import adjusted, is_adjusting
from inference.backends.runtime import one_thread
from inference.contract import SamplingSettings
from inference.mixing import bits, chained
from inference.watermark import Watermark

NEAR = 32.0  # in a race of tokens, those within this factor of the winner's time are looked at in full precision
HALVINGS = 9  # steps of the search for the border of top-p, on a logarithmic scale, before what is left is sorted


@dataclass(frozen=True)
class Draw:
    """One choice to be made."""

    settings: SamplingSettings
    sample: int
    position: int  # completion tokens of this sample so far
    prompt: Sequence[int] = ()
    output: Sequence[int] = ()  # tokens of this sample so far


@dataclass(frozen=True)
class Choice:
    """What was chosen."""

    token: int | None  # None: the logits were not finite
    gap: float  # distance to the second best after noise, in units of logits / temperature


Pick = Callable[[Tensor, Sequence[Draw]], list[Choice]]


@one_thread()  # also lets no sum depend on the number of cores
def choose(logits: Tensor, draws: Sequence[Draw], watermark: Watermark | None = None) -> list[Choice]:
    """Choose a token for every row.

    Args:
        logits: [rows, vocabulary], any float type; stays as it is.
        draws: one per row.
        watermark: marks the rows that ask for it.
    """
    logits = logits.float()
    is_sound = torch.isfinite(logits.amax(-1)).tolist()  # a maximum hands on every not-a-number and +infinity
    choices = [Choice(None, 0.0)] * len(draws)
    for rows, pick in _groups(draws, is_sound):
        drawn = [draws[row] for row in rows]
        picked = pick(adjusted(rows_of(logits, rows), drawn, watermark), drawn)
        for row, choice in zip(rows, picked, strict=True):
            choices[row] = choice
    return choices


def noise(draws: Sequence[Draw], tokens: Tensor) -> Tensor:
    """Gumbel noise, float64 [rows, n], for token ids int64 [rows, n] or [n]."""
    uniform = (_bits(draws, tokens).double() + 0.5) * 2.0**-53  # above 0 and below 1
    return uniform.log_().neg_().log_().neg_()


def _bits(draws: Sequence[Draw], tokens: Tensor) -> Tensor:
    """53 random bits, int64 [rows, n], for token ids int64 [rows, n] or [n]."""
    return bits([chained(draw.settings.seed, draw.sample, draw.position) for draw in draws], tokens)


def _groups(draws: Sequence[Draw], is_sound: Sequence[bool]) -> list[tuple[list[int], Pick]]:
    """Split the sound rows by how they are chosen, those whose logits change apart: only they are copied."""
    groups: dict[tuple[Pick, bool], list[int]] = {}
    for row, draw in enumerate(draws):
        if is_sound[row]:
            groups.setdefault((_pick_of(draw.settings), is_adjusting(draw.settings)), []).append(row)
    return [(rows, pick) for (pick, _), rows in groups.items()]


def _pick_of(settings: SamplingSettings) -> Pick:
    if settings.temperature == 0:
        return _pick_greedy
    return _pick_of_few if settings.top_k else _pick_of_all


def rows_of(logits: Tensor, rows: list[int]) -> Tensor:
    """Some rows of logits [rows, vocabulary], without a copy where all are asked for, in their order."""
    return logits if len(rows) == len(logits) else logits[rows]


def _pick_greedy(logits: Tensor, draws: Sequence[Draw]) -> list[Choice]:
    choices = []
    for row in logits:
        best = row.amax()
        # Of equal logits the first, as transformers does; argmax and topk take ten times as long as two maxima.
        token = int((row == best).nonzero()[0])
        others = [part.amax() for part in (row[:token], row[token + 1 :]) if len(part)]
        gap = float(best.double() - torch.stack(others).amax().double()) if others else 0.0
        choices.append(Choice(token, gap))
    return choices


def _pick_of_few(logits: Tensor, draws: Sequence[Draw]) -> list[Choice]:
    """Of the top-k tokens; top-p counts what top-k left."""
    vocabulary = logits.shape[-1]
    limits = [min(draw.settings.top_k, vocabulary) for draw in draws]
    values, tokens = logits.topk(max(limits), dim=-1)  # [rows, size], best first
    scaled = values.double() / _column([draw.settings.temperature for draw in draws], logits)
    is_beyond = torch.arange(max(limits), device=logits.device) >= _column(limits, logits)
    scaled = scaled.masked_fill(is_beyond, -torch.inf)
    probability = scaled.softmax(-1)
    before = probability.cumsum(-1) - probability  # of better tokens; [rows, size]
    top_p = _column([draw.settings.top_p for draw in draws], logits)
    is_cut = (before >= top_p) & (top_p < 1)
    is_cut[:, 0] = False
    return _best((scaled + noise(draws, tokens)).masked_fill(is_cut, -torch.inf), tokens)


def _pick_of_all(logits: Tensor, draws: Sequence[Draw]) -> list[Choice]:
    """Of the whole vocabulary or the part that top-p leaves, without sorting it."""
    tokens = torch.arange(logits.shape[-1], device=logits.device)
    # Row by row: one row's numbers stay in the processor's cache.
    return [_race(row, draw, tokens) for row, draw in zip(logits, draws, strict=True)]


def _race(logits: Tensor, draw: Draw, tokens: Tensor) -> Choice:
    """Gumbel-max over logits [vocabulary], told as a race.

    The largest logit plus noise belongs to the token with the smallest -log(u) / exp(logit). Times in single precision
    find the few that can have won; only these are compared in double precision.
    """
    temperature = draw.settings.temperature
    weights = _weights(logits, draw)  # [vocabulary], 0: out of the race
    late = (2**53 - _bits([draw], tokens)[0]).float().mul_(2.0**-53)  # 1 - u
    times = late.neg_().log1p_().neg_().div_(weights)
    near = (times <= times.amin() * NEAR).nonzero()[:, 0]
    if len(near) < 2:
        near = times.topk(min(2, len(times)), largest=False).indices
    scores = logits[near].double() / temperature + noise([draw], near)
    (choice,) = _best(scores.masked_fill(weights[near] == 0, -torch.inf), near.unsqueeze(0))
    return choice


def _weights(logits: Tensor, draw: Draw) -> Tensor:
    """Probabilities of logits [vocabulary] up to a common factor, 0 for those that top-p leaves out."""
    weights = (logits - logits.amax()).div_(draw.settings.temperature).exp_()
    if draw.settings.top_p == 1:
        return weights
    return weights * (weights >= _border(weights, draw.settings.top_p))


def _border(weights: Tensor, top_p: float) -> float:
    """The weight of the last token in the nucleus: all tokens before it have less than top_p of the sum together.

    Of tokens that are equally likely either all stay or none. Bisection until few enough are left to be sorted.
    """
    wanted = top_p * float(weights.sum(dtype=torch.float64))
    # All tokens below `low` together weigh less than what top-p leaves out; the largest weight is 1.
    low, high = (wanted / top_p - wanted) / len(weights), 1.0
    for _ in range(HALVINGS):
        middle = (low * high) ** 0.5
        if float(_above(weights, middle).sum()) < wanted:
            high = middle
        else:
            low = middle
    above = float(_above(weights, high).sum(dtype=torch.float64))
    between = weights[(weights >= low) & (weights <= high)].sort(descending=True).values
    before = above + between.double().cumsum(0) - between
    return float(between[max(int((before < wanted).sum()) - 1, 0)]) if len(between) else high


def _above(weights: Tensor, limit: float) -> Tensor:
    return functional.threshold(weights, limit, 0.0)


def _best(scores: Tensor, tokens: Tensor) -> list[Choice]:
    """The best of every row and its distance to the second; scores [rows, n], tokens [rows or 1, n]."""
    two = scores.topk(min(2, scores.shape[-1]), dim=-1)
    gaps = (two.values[:, 0] - two.values[:, -1]) if scores.shape[-1] > 1 else torch.full_like(scores[:, 0], torch.inf)
    chosen = tokens.expand(scores.shape).gather(-1, two.indices[:, :1])[:, 0]
    return [Choice(token, gap) for token, gap in zip(chosen.tolist(), gaps.tolist(), strict=True)]


def _column(numbers: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device=like.device).unsqueeze(-1)  # [rows, 1]
