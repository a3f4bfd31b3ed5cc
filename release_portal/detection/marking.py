"""A text cut into marked pieces: by matched spans, or by the rank class of each token (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from inference.contract import ScoredToken
from release_portal.detection.gltr import rank_class
from release_portal.provenance.matching import Span


@dataclass(frozen=True)
class Passage:
    """A piece of a text that does or does not stand in a served generation."""

    text: str
    is_matched: bool


def passages(text: str, spans: Sequence[Span]) -> list[Passage]:
    """Cut a text at its spans; joined again it is the text."""
    pieces: list[Passage] = []
    place = 0
    for span in spans:
        pieces += [Passage(text[place : span.start], False), Passage(text[span.start : span.end], True)]
        place = span.end
    return [piece for piece in (*pieces, Passage(text[place:], False)) if piece.text]


@dataclass(frozen=True)
class ShownToken:
    """A piece of a text with what the model thought of it.

    Args:
        text: its characters.
        rank_class: 1 to 4; 0 where the model says nothing: a first token, or characters without a token.
        rank, logprob: of the token; of the least expected one where several tokens make up one character.
    """

    text: str
    rank_class: int = 0
    rank: int | None = None
    logprob: float | None = None


def shown_tokens(text: str, tokens: Iterable[ScoredToken]) -> list[ShownToken]:
    """Cut a text at its tokens; joined again it is the text.

    Tokens of a part of a character have the offsets of the whole one, so they are shown together.
    """
    return list(_pieces(text, tokens))


def _pieces(text: str, tokens: Iterable[ScoredToken]) -> Iterator[ShownToken]:
    place = 0
    for group in _by_place(tokens):
        start, end = min(one.start or 0 for one in group), max(one.end or 0 for one in group)
        if start > place:
            yield ShownToken(text[place:start])
        yield _shown(text[max(start, place) : end], group)
        place = max(place, end)
    if text[place:]:
        yield ShownToken(text[place:])


def _by_place(tokens: Iterable[ScoredToken]) -> Iterator[list[ScoredToken]]:
    """Group tokens whose characters overlap."""
    group: list[ScoredToken] = []
    end = 0
    for token in tokens:
        if token.start is None or token.end is None:
            continue
        if group and token.start >= end:
            yield group
            group = []
        group.append(token)
        end = max(end, token.end)
    if group:
        yield group


def _shown(text: str, group: Sequence[ScoredToken]) -> ShownToken:
    ranked = [token for token in group if token.rank is not None]
    if not ranked:
        return ShownToken(text)
    worst = max(ranked, key=lambda token: token.rank or 0)
    return ShownToken(text, rank_class(worst.rank or 1), worst.rank, worst.logprob)
