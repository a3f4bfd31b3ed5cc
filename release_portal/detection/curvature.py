"""Conditional probability curvature of a text under one model, without sampling (pure).

After Bao, Zhao, Teng, Yang, Zhang, "Fast-DetectGPT: Efficient Zero-Shot Detection of Machine-Generated Text via
Conditional Probability Curvature", ICLR 2024 (arXiv 2310.05130), where sampling and scoring model are the same: the
expectation and variance over alternative tokens are those of the model's own distribution, so both are exact sums.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import fsum, sqrt

from inference.contract import ScoredToken

VERSION = "curvature-1"


def curvature(tokens: Iterable[ScoredToken]) -> float | None:
    """Return sum(logprob - mean) / sqrt(sum(variance)); None when the model left nothing open.

    Tokens without numbers (the first of a text) are left out.

    Raises:
        ValueError: a scored token lacks its mean or variance.
    """
    rows = [_numbers(token) for token in tokens if token.logprob is not None]
    variance = fsum(row[2] for row in rows)
    if variance <= 0:
        return None
    return fsum(logprob - mean for logprob, mean, _ in rows) / sqrt(variance)


def _numbers(token: ScoredToken) -> tuple[float, float, float]:
    if token.logprob is None or token.mean is None or token.variance is None:
        raise ValueError("a scored token lacks its mean or variance")
    return token.logprob, token.mean, token.variance
