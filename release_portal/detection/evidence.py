"""The numbers of one scored text (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import fsum, isfinite
from typing import Any

from inference.contract import ScoredToken, ScoreResult
from release_portal.detection import curvature, gltr

DETECTORS = {"ranks": gltr.VERSION, "curvature": curvature.VERSION}


@dataclass(frozen=True)
class Evidence:
    """What the model's own probabilities say of a text; nobody calibrated them.

    Args:
        tokens: tokens of the text.
        scored: tokens with numbers; the first of a text has none where nothing precedes it.
        ranks: tokens in each rank class, top 10 first.
        mean_logprob, mean_entropy: per scored token, in nats.
        curvature: of Fast-DetectGPT; None when the model left nothing open.
    """

    tokens: int
    scored: int
    ranks: gltr.RankCounts
    mean_logprob: float
    mean_entropy: float
    curvature: float | None

    def to_data(self) -> dict[str, Any]:
        """Return the evidence as plain values."""
        return asdict(self) | {"ranks": list(self.ranks.counts)}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Evidence:
        """Read the evidence back."""
        return cls(**{**data, "ranks": gltr.RankCounts(tuple(data["ranks"]))})


def measure(result: ScoreResult) -> Evidence:
    """Return the evidence in a score; raises ValueError when tokens lack their numbers or these are not finite."""
    scored = [token for token in result.tokens if token.logprob is not None]
    return Evidence(
        tokens=len(result.tokens),
        scored=len(scored),
        ranks=gltr.count_ranks(token.rank for token in scored),
        mean_logprob=_mean(token.logprob for token in scored),
        mean_entropy=_mean(token.entropy for token in scored),
        curvature=curvature.curvature(scored),
    )


def _mean(values: Iterable[float | None]) -> float:
    known = [value for value in values if value is not None and isfinite(value)]
    if not known:
        raise ValueError("no token of the score has numbers")
    return fsum(known) / len(known)


def score_of(sample: Mapping[str, Any]) -> ScoreResult:
    """Read a score as the settlement stores it."""
    return ScoreResult(tuple(ScoredToken(**token) for token in sample["tokens"]), sample["scored"])
