"""Changes of the logits that a request asks for: penalties for tokens that were seen, a watermark, a bias per token."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from inference.contract import SamplingSettings
from inference.watermark import Watermark


class Asking(Protocol):
    """What is known of a row: its settings, and the tokens so far."""

    @property
    def settings(self) -> SamplingSettings:
        """Settings of the request."""
        ...

    @property
    def prompt(self) -> Sequence[int]:
        """Tokens of the prompt."""
        ...

    @property
    def output(self) -> Sequence[int]:
        """Tokens of this sample so far."""
        ...


def is_adjusting(settings: SamplingSettings) -> bool:
    """Whether these settings change any logits."""
    is_penalising = settings.repetition_penalty != 1 or settings.presence_penalty or settings.frequency_penalty
    return bool(is_penalising or settings.logit_bias or settings.watermark)


def adjusted(logits: Tensor, rows: Sequence[Asking], watermark: Watermark | None = None) -> Tensor:
    """Logits [rows, vocabulary] as the settings want them: the tensor itself where none asks, else a copy.

    Repetition first, then presence and frequency, then the mark, which no penalty weakens; the bias last: it is what
    it says whatever was penalised or marked, and forbids a green token like any other.

    Args:
        logits: [rows, vocabulary], a float type; stays as it is.
        rows: one per row.
        watermark: marks the rows that ask for it.

    Raises:
        ValueError: a row asks for a mark, and there is none.
    """
    if not any(is_adjusting(row.settings) for row in rows):
        return logits
    logits = logits.clone()
    for one, row in zip(logits, rows, strict=True):
        _repel(one, row)
        _penalise(one, row)
        if row.settings.watermark:
            _mark(one, row, watermark)
        _lean(one, row.settings)
    return logits


def _repel(logits: Tensor, row: Asking) -> None:
    """Repetition penalty as in CTRL (Keskar et al. 2019): makes tokens seen in prompt or output less likely."""
    penalty = row.settings.repetition_penalty
    if penalty == 1:
        return
    seen = _tensor([*row.prompt, *row.output], logits)
    values = logits[seen]
    logits[seen] = torch.where(values < 0, values * penalty, values / penalty)


def _penalise(logits: Tensor, row: Asking) -> None:
    """Presence and frequency penalty as OpenAI documents them, over the output alone."""
    settings = row.settings
    if not row.output or not (settings.presence_penalty or settings.frequency_penalty):
        return
    counts = Counter(row.output)
    taken = [count * settings.frequency_penalty + settings.presence_penalty for count in counts.values()]
    logits[_tensor(list(counts), logits)] -= torch.tensor(taken, dtype=logits.dtype, device=logits.device)


def _mark(logits: Tensor, row: Asking, watermark: Watermark | None) -> None:
    if watermark is None:
        raise ValueError("a watermark is asked for, and there is none")
    width = watermark.context_width
    watermark.mark(logits, [*row.prompt[-width:], *row.output[-width:]][-width:])


def _lean(logits: Tensor, settings: SamplingSettings) -> None:
    if settings.logit_bias:
        tokens, bias = zip(*settings.logit_bias, strict=True)
        logits.index_add_(0, _tensor(tokens, logits), torch.tensor(bias, dtype=logits.dtype, device=logits.device))


def _tensor(tokens: Sequence[int], like: Tensor) -> Tensor:
    return torch.tensor(tokens, dtype=torch.int64, device=like.device)
