"""A watermark of texts: one definition for writing it and for examining a text for it.

After each token a secret key divides the vocabulary into green tokens and others. Who writes prefers green ones, who
examines counts them; without the mark they are as frequent as their share.
"""

from __future__ import annotations

import hmac
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import torch
from torch import Tensor

from inference.mixing import BITS, bits

FRACTION = 0.25
BIAS = 2.0
LABEL = b"green-list-1:"  # what the key is used for here; another division of the vocabulary gets another label


class Watermark(Protocol):
    """What can mark the texts of requests that ask for it."""

    @property
    def context_width(self) -> int:
        """How many of the tokens before the next one it looks at."""
        ...

    def mark(self, logits: Tensor, before: Sequence[int]) -> None:
        """Change logits [vocabulary] in place; `before` are the last `context_width` tokens, fewer near the start."""
        ...


@dataclass(frozen=True)
class Examination:
    """What a text says of a mark."""

    scored: int  # different pairs of a token and the one before it
    green: int  # of these, how many the key calls green
    p_value: float  # above 0, at most 1: how likely so many or more are in a text that was written without the key


class GreenList:
    """Watermark that adds a bias to the tokens which a key calls green after the token before.

    Source: Kirchenbauer et al. 2023, https://arxiv.org/abs/2301.10226. The division is decided by a hash for each
    pair of tokens, on every device the same; no vocabulary is shuffled.

    Args:
        key: the secret, at least one byte.
        fraction: share of green tokens, above 0 and below 1.
        bias: what is added to a green token's logit, above 0.

    Raises:
        ValueError: an argument outside its bounds.
    """

    context_width = 1

    def __init__(self, key: bytes, fraction: float = FRACTION, bias: float = BIAS) -> None:
        if not key:
            raise ValueError("a watermark needs a key")
        if not 0 < fraction < 1:
            raise ValueError("fraction must be above 0 and below 1")
        if not 0 < bias < math.inf:
            raise ValueError("bias must be above 0 and finite")
        self._key = key
        self._fraction = fraction
        self._bias = bias

    def mark(self, logits: Tensor, before: Sequence[int]) -> None:
        """Add the bias to the green tokens.

        Args:
            logits: [vocabulary], any float type; changed in place.
            before: tokens before the next one, at least one; the last decides.
        """
        vocabulary = torch.arange(len(logits), device=logits.device)
        logits += self.is_green(before[-1:], vocabulary)[0] * self._bias

    def is_green(self, previous: Sequence[int], tokens: Tensor) -> Tensor:
        """Whether tokens are green after others: bool [previous, n].

        Args:
            previous: token ids.
            tokens: token ids, int64 [previous, n], or [n] for all previous ones alike.
        """
        return bits([self._seed(one) for one in previous], tokens) < int(self._fraction * 2**BITS)

    def examine(self, tokens: Sequence[int]) -> Examination:
        """Count the green tokens of a text; a pair that comes again is no further evidence and counts once.

        Args:
            tokens: token ids of the text in their order.
        """
        pairs = list(dict.fromkeys(pairwise(tokens)))
        if not pairs:
            return Examination(0, 0, 1.0)
        following = torch.tensor([[token] for _, token in pairs], dtype=torch.int64)  # [pairs, 1]
        green = int(self.is_green([previous for previous, _ in pairs], following).sum())
        return Examination(len(pairs), green, binomial_tail(green, len(pairs), self._fraction))

    def _seed(self, previous: int) -> int:
        # A keyed hash for each token: what somebody finds out about one division says nothing of the others.
        digest = hmac.digest(self._key, LABEL + previous.to_bytes(8, "big"), "sha256")
        return int.from_bytes(digest[:8], "big")


def binomial_tail(least: int, trials: int, chance: float) -> float:
    """How likely at least so many of some trials succeed: above 0, at most 1.

    Args:
        least: 0 .. trials.
        trials: 0 or more.
        chance: of each, above 0 and below 1.
    """
    if least <= 0:
        return 1.0
    logs = [_log_chance(hits, trials, chance) for hits in range(least, trials + 1)]
    largest = max(logs)
    log_sum = largest + math.log(math.fsum(math.exp(one - largest) for one in logs))
    # What is too small for a number is told as the smallest one: no evidence is certain.
    return min(1.0, max(math.exp(log_sum), sys.float_info.min))


def _log_chance(hits: int, trials: int, chance: float) -> float:
    """Logarithm of the chance of exactly so many hits."""
    ways = math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
    return ways + hits * math.log(chance) + (trials - hits) * math.log1p(-chance)
