"""What a model size thinks of each token of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from torch import Tensor

from inference.backends.runtime import one_thread
from inference.backends.vocabulary import Vocabulary
from inference.contract import ScoredToken, ScoreResult

DIGITS = 6
IMPOSSIBLE = -1e9  # stands for minus infinity; its square is still a number


@dataclass
class Score:
    """Numbers of a text, gathered chunk by chunk.

    Columns of a row: log-probability, rank, entropy, mean and variance of the log-probability.
    """

    rows: list[list[float]] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether all numbers are finite."""
        return all(abs(number) != float("inf") and number == number for row in self.rows for number in row)

    def add(self, logits: Tensor, following: Sequence[int]) -> None:
        """Add one row per token of `following`.

        Args:
            logits: [positions, vocabulary]; row i is what the model says of the token after position i.
            following: the tokens that did follow; one fewer than positions at the end of the text.
        """
        if following:
            self.rows += _measure(logits[: len(following)].float(), following)

    def result(self, text: str, ids: Sequence[int], vocabulary: Vocabulary) -> ScoreResult:
        """Join the numbers with the tokens of the text; tokens that the tokenizer added are left out."""
        offsets = vocabulary.offsets(text) or [None] * len(ids)  # an empty text has a lone begin token
        numbers: list[list[float] | None] = [None, *self.rows]
        tokens = [_token(text, span, row) for span, row in zip(offsets, numbers, strict=True) if span is not None]
        return ScoreResult(tuple(tokens), sum(token.logprob is not None for token in tokens))


@one_thread()
def _measure(logits: Tensor, targets: Sequence[int]) -> list[list[float]]:
    """Rows of numbers for logits [positions, vocabulary] and a target each; one by one, they stay in the cache."""
    return [_measure_one(row, target) for row, target in zip(logits, targets, strict=True)]


def _measure_one(logits: Tensor, target: int) -> list[float]:
    logprobs = logits.log_softmax(-1)  # [vocabulary]
    probs = logprobs.exp()
    own = logprobs[target].item()
    rank = int((logprobs > own).sum()) + 1
    # Not-a-number stays visible; 0 * -inf of impossible tokens counts as 0.
    logprobs.clamp_(min=IMPOSSIBLE)
    mean = probs.dot(logprobs).item()
    variance = probs.dot(logprobs.sub_(mean).square_()).item()
    return [own, rank, -mean, mean, variance]


def _token(text: str, span: tuple[int, int], row: list[float] | None) -> ScoredToken:
    start, end = span
    if row is None:
        return ScoredToken(text[start:end], start, end)
    logprob, rank, entropy, mean, variance = row
    return ScoredToken(
        text=text[start:end],
        start=start,
        end=end,
        logprob=round(logprob, DIGITS),
        rank=int(rank),
        entropy=round(entropy, DIGITS),
        mean=round(mean, DIGITS),
        variance=round(variance, DIGITS),
    )
