"""Choosing the next token: temperature, top-k, top-p, then Gumbel-max with noise from a counter.

The noise of a token depends on (seed, sample, position, token id) and on nothing else. A generator per request would
not do: sums in another order, as they happen when the batch changes, move a probability by 1e-5, and inverting a
cumulative sum turns that into another token far more often than comparing logits plus noise does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from inference.contract import SamplingSettings

FIRST_PREFIX = 256  # tokens sorted at first for top-p; the whole vocabulary only if their probability does not suffice

MASK = 2**64 - 1
GOLDEN = 0x9E3779B97F4A7C15  # constants of splitmix64
MIX_1 = 0xBF58476D1CE4E5B9
MIX_2 = 0x94D049BB133111EB


@dataclass(frozen=True)
class Draw:
    """One choice to be made."""

    settings: SamplingSettings
    sample: int
    position: int  # completion tokens of this sample so far


@dataclass(frozen=True)
class Choice:
    """What was chosen."""

    token: int | None  # None: the logits were not finite
    gap: float  # distance to the second best after noise, in units of logits / temperature


Pick = Callable[[Tensor, Sequence[Draw]], list[Choice]]


def choose(logits: Tensor, draws: Sequence[Draw]) -> list[Choice]:
    """Choose a token for every row.

    Args:
        logits: [rows, vocabulary], any float type.
        draws: one per row.
    """
    logits = logits.float()
    is_sound = torch.isfinite(logits.amax(-1)).tolist()  # a maximum hands on every not-a-number and +infinity
    choices = [Choice(None, 0.0)] * len(draws)
    for rows, pick in _groups(draws, is_sound):
        picked = pick(logits[rows], [draws[row] for row in rows])
        for row, choice in zip(rows, picked, strict=True):
            choices[row] = choice
    return choices


def noise(draws: Sequence[Draw], tokens: Tensor) -> Tensor:
    """Gumbel noise, float64 [rows, n], for token ids int64 [rows, n] or [n]."""
    keys = torch.tensor([[_signed(_key(draw))] for draw in draws], dtype=torch.int64, device=tokens.device)
    mixed = (tokens + 1) * _signed(GOLDEN) + keys  # [rows, n], wraps around like unsigned numbers
    mixed = _mix(mixed)
    uniform = (_shift(mixed, 11).double() + 0.5) * 2.0**-53  # above 0 and below 1
    return uniform.log_().neg_().log_().neg_()


def _groups(draws: Sequence[Draw], is_sound: Sequence[bool]) -> list[tuple[list[int], Pick]]:
    """Split the sound rows by how they are chosen; empty groups are left out."""
    greedy: list[int] = []
    narrowed: list[int] = []
    whole: list[int] = []
    for row, draw in enumerate(draws):
        settings = draw.settings
        if not is_sound[row]:
            continue
        if settings.temperature == 0:
            greedy.append(row)
        elif settings.top_k or settings.top_p < 1:
            narrowed.append(row)
        else:
            whole.append(row)
    ways: list[tuple[list[int], Pick]] = [(greedy, _pick_greedy), (narrowed, _pick_narrowed), (whole, _pick_whole)]
    return [(rows, pick) for rows, pick in ways if rows]


def _pick_greedy(logits: Tensor, draws: Sequence[Draw]) -> list[Choice]:
    # argmax and not topk: of equal logits it takes the first, as transformers does.
    tokens = logits.argmax(-1)  # [rows]
    two = logits.topk(min(2, logits.shape[-1]), dim=-1).values.double()
    gaps = two[:, 0] - two[:, -1]
    return [Choice(token, gap) for token, gap in zip(tokens.tolist(), gaps.tolist(), strict=True)]


def _pick_whole(logits: Tensor, draws: Sequence[Draw]) -> list[Choice]:
    tokens = torch.arange(logits.shape[-1], device=logits.device)
    choices = []
    for row, draw in enumerate(draws):  # row by row: one row's numbers stay in the processor's cache
        scores = logits[row : row + 1].double() / draw.settings.temperature + noise([draw], tokens)
        choices += _best(scores, tokens.unsqueeze(0))
    return choices


def _pick_narrowed(logits: Tensor, draws: Sequence[Draw], prefix: int = FIRST_PREFIX) -> list[Choice]:
    """Sort only as many tokens as top-k needs, or top-p at the first try."""
    vocabulary = logits.shape[-1]
    temperature = _column([draw.settings.temperature for draw in draws], logits)
    scaled = logits.double() / temperature  # [rows, vocabulary]
    limits = [min(draw.settings.top_k or vocabulary, vocabulary) for draw in draws]
    size = min(max(max((k for k in limits if k < vocabulary), default=1), prefix), vocabulary)
    values, tokens = scaled.topk(size, dim=-1)  # [rows, size], best first
    limit = _column(limits, logits)
    within = torch.arange(size, device=logits.device) < limit  # top-k
    kept, reached = _nucleus(scaled, values, within, limit, draws)
    scores = (values + noise(draws, tokens)).masked_fill(~kept, -torch.inf)
    choices = _best(scores, tokens)
    short = [row for row, is_reached in enumerate(reached.tolist()) if not is_reached]
    if short:
        again = _pick_narrowed(logits[short], [draws[row] for row in short], prefix=vocabulary)
        for row, choice in zip(short, again, strict=True):
            choices[row] = choice
    return choices


def _nucleus(
    scaled: Tensor, values: Tensor, within: Tensor, limit: Tensor, draws: Sequence[Draw]
) -> tuple[Tensor, Tensor]:
    """Which of the sorted tokens top-p keeps, [rows, size], and whether the prefix was long enough to know, [rows].

    Top-p counts what top-k left: the total is that of the kept tokens where top-k bites, else of the whole row.
    """
    top_p = _column([draw.settings.top_p for draw in draws], values)
    values = values.masked_fill(~within, -torch.inf)
    is_limited = limit < scaled.shape[-1]  # [rows, 1]
    total = torch.where(is_limited, values.logsumexp(-1, keepdim=True), scaled.logsumexp(-1, keepdim=True))
    probability = (values - total).exp()
    before = probability.cumsum(-1) - probability  # [rows, size]
    kept = within & ((before < top_p) | (top_p >= 1))
    kept[:, 0] = True
    reached = is_limited[:, 0] | (probability.sum(-1) >= top_p[:, 0]) | (values.shape[-1] == scaled.shape[-1])
    return kept, reached


def _best(scores: Tensor, tokens: Tensor) -> list[Choice]:
    """The best of every row and its distance to the second; scores [rows, n], tokens [rows or 1, n]."""
    two = scores.topk(min(2, scores.shape[-1]), dim=-1)
    gaps = (two.values[:, 0] - two.values[:, -1]) if scores.shape[-1] > 1 else torch.full_like(scores[:, 0], torch.inf)
    chosen = tokens.expand(scores.shape).gather(-1, two.indices[:, :1])[:, 0]
    return [Choice(token, gap) for token, gap in zip(chosen.tolist(), gaps.tolist(), strict=True)]


def _column(numbers: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64, device=like.device).unsqueeze(-1)  # [rows, 1]


def _key(draw: Draw) -> int:
    key = 0
    for part in (draw.settings.seed, draw.sample, draw.position):
        key = _mix_number((key + GOLDEN + part) & MASK)
    return key


def _mix_number(number: int) -> int:
    """The mixing of splitmix64 on a Python integer, 0 .. 2**64 - 1."""
    number = ((number ^ (number >> 30)) * MIX_1) & MASK
    number = ((number ^ (number >> 27)) * MIX_2) & MASK
    return number ^ (number >> 31)


def _mix(numbers: Tensor) -> Tensor:
    """The same on int64, whose products wrap around."""
    numbers = numbers.bitwise_xor_(_shift(numbers, 30)).mul_(_signed(MIX_1))
    numbers = numbers.bitwise_xor_(_shift(numbers, 27)).mul_(_signed(MIX_2))
    return numbers.bitwise_xor_(_shift(numbers, 31))


def _shift(numbers: Tensor, by: int) -> Tensor:
    # int64 shifts carry the sign along; the mask makes the shift that of unsigned numbers.
    return (numbers >> by).bitwise_and_((1 << (64 - by)) - 1)


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
