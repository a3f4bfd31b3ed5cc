"""What the model itself thought of tokens, told by name: natural log-probabilities, before any setting changed them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from inference.backends.vocabulary import Vocabulary
from inference.contract import TokenLogprob

DIGITS = 6
LEAST = -9999.0  # stands for minus infinity, which JSON has not


def first_of_prompt(token: int, vocabulary: Vocabulary) -> TokenLogprob:
    """The first token of a prompt: nothing stands before it that could say how likely it was."""
    return TokenLogprob(vocabulary.name(token), None)


def likelihoods(logits: Tensor, tokens: Sequence[int], count: int, vocabulary: Vocabulary) -> list[TokenLogprob]:
    """What each row said of a token, and its likeliest tokens.

    Args:
        logits: [rows, vocabulary] as the model gave them.
        tokens: one per row.
        count: how many of the likeliest to name.
        vocabulary: knows the names.
    """
    if not tokens:
        return []
    logits = logits.float()
    whole = logits.logsumexp(-1, keepdim=True)  # [rows, 1]
    own = logits.gather(-1, torch.tensor(tokens, device=logits.device).unsqueeze(-1)) - whole  # [rows, 1]
    best = logits.topk(min(count, logits.shape[-1]), dim=-1)  # [rows, count]
    names = [[vocabulary.name(token) for token in row] for row in best.indices.tolist()]
    tops = [zip(*row, strict=True) for row in zip(names, (best.values - whole).tolist(), strict=True)]
    return [_told(vocabulary.name(token), *of) for token, *of in zip(tokens, own[:, 0].tolist(), tops, strict=True)]


def _told(name: str, logprob: float, top: Iterable[tuple[str, float]]) -> TokenLogprob:
    return TokenLogprob(name, _shown(logprob), tuple((other, _shown(value)) for other, value in top))


def _shown(logprob: float) -> float:
    return round(max(logprob, LEAST), DIGITS)
