"""What every contender is asked: prompts of real text, a fixed number of new tokens, times of arrival (pure)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

# Sentences of our own: text that a model finds neither random nor known by heart.
SENTENCES = (
    "The lab wrote down what each size of the model could do before anybody outside was told of it.",
    "Three reviewers read the evidence on a Tuesday, and two of them asked for the same missing table.",
    "When the river rose in spring, the ferry moved its landing to the old mill on the other bank.",
    "A model that answers quickly is pleasant; a model that answers the same twice can be examined.",
    "She measured the kitchen with a piece of string, since the tape had gone with the carpenters.",
    "The committee met again in autumn and found that most of its questions had answered themselves.",
    "Bread keeps longer in cloth than in paper, said the baker, but nobody had asked him about butter.",
    "Of the forty letters in the box, six were addressed to people who had never lived in the house.",
)


@dataclass(frozen=True)
class Ask:
    """One request.

    Args:
        prompt: text.
        ids: its token ids.
        new_tokens: how many tokens follow; an end of text does not end it.
        at: seconds after the beginning at which it arrives.
    """

    prompt: str
    ids: tuple[int, ...]
    new_tokens: int
    at: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Ask:
        """Read it back."""
        return cls(data["prompt"], tuple(data["ids"]), data["new_tokens"], data["at"])


def burst(tokenizer: Any, count: int, new_tokens: int, *, shortest: int, longest: int, seed: int) -> list[Ask]:
    """Return requests that all arrive at once; their prompts have `shortest` to `longest` tokens, about."""
    draw = random.Random(seed)
    lengths = [draw.randint(shortest, longest) for _ in range(count)]
    return [_ask(tokenizer, draw, length, new_tokens) for length in lengths]


def poisson(asks: Sequence[Ask], per_second: float, *, seed: int) -> list[Ask]:
    """Return the same requests arriving at random, `per_second` of them on average."""
    draw, at, spread = random.Random(seed), 0.0, []
    for ask in asks:
        spread.append(Ask(ask.prompt, ask.ids, ask.new_tokens, at))
        at += draw.expovariate(per_second)
    return spread


def _ask(tokenizer: Any, draw: random.Random, length: int, new_tokens: int) -> Ask:
    text = ""
    while len(tokenizer.encode(text).ids) < length:
        text += draw.choice(SENTENCES) + " "
    # Cut at a token and read anew: what is sent is text, and every contender must see the same ids.
    prompt = tokenizer.decode(tokenizer.encode(text).ids[:length])
    return Ask(prompt, tuple(tokenizer.encode(prompt).ids), new_tokens)
