"""One pass of a model over tokens of many texts, laid end to end: who reads what in its attention.

Layers that look at each token by itself see one long row of tokens, and read their weights once for all of them.
Attention keeps the texts apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention


@dataclass(frozen=True)
class Span:
    """Neighbouring tokens of one text.

    Args:
        row: of the cache; None: the whole text is in this pass and nothing comes after it.
        start, stop: positions in the text, the end excluded.
        first: place of its first token in the pass.
    """

    row: int | None
    start: int
    stop: int
    first: int

    @property
    def last(self) -> int:
        """Place behind its last token in the pass."""
        return self.first + self.stop - self.start


class Pass:
    """What is read and written in one pass: first a token for each decoding row of the cache, then spans.

    Args:
        decoding: position of the one new token of rows 0, 1, ... of the cache.
        spans: in the order of their tokens.
        device: where the model computes.
    """

    def __init__(self, decoding: Sequence[int], spans: Sequence[Span], device: torch.device) -> None:
        self.decoding, self.spans = len(decoding), spans
        self.each = torch.arange(self.decoding, device=device)  # [rows]
        self.at = torch.tensor(decoding, dtype=torch.int64, device=device)  # [rows]
        self.length = max(decoding, default=-1) + 1  # that the decoding rows read
        self.keys: Tensor | None = None  # [rows, key heads, positions, size], cached by the layer that computes now
        self.values: Tensor | None = None
        self._masks: dict[tuple[int, int], Tensor] = {}

    @property
    def rows(self) -> int:
        """Rows that the cache must have."""
        return max([self.decoding, *(span.row + 1 for span in self.spans if span.row is not None)])

    @property
    def longest(self) -> int:
        """Positions that a row of the cache must have."""
        return max([self.length, *(span.stop for span in self.spans if span.row is not None)])

    def positions(self) -> Tensor:
        """Position in its text of every token, [tokens]."""
        spans = [torch.arange(span.start, span.stop, device=self.at.device) for span in self.spans]
        return torch.cat([self.at, *spans])

    def attend(self, query: Tensor, key: Tensor, value: Tensor, scaling: float | None) -> Tensor:
        """What every token sees of its own text.

        Args:
            query: [1, heads, tokens, size].
            key, value: of these tokens alone, [1, key heads, tokens, size].
            scaling: of the products; None: one over the root of the size.

        Returns:
            [1, tokens, heads, size].
        """
        seen = [self._decoded(query[0, :, : self.decoding].transpose(0, 1), scaling)] if self.decoding else []
        for number, span in enumerate(self.spans):
            group = query.shape[1] // key.shape[1]
            read = slice(span.first, span.last)
            mask = self._mask(number, group, query)
            keys, values = self._cached(span, key[:, :, read], value[:, :, read])
            seen.append(grouped(query[:, :, read], keys, values, mask, scaling)[0].transpose(0, 1))
        return (seen[0] if len(seen) == 1 else torch.cat(seen)).unsqueeze(0)

    def _decoded(self, query: Tensor, scaling: float | None) -> Tensor:
        """What one token of each row sees, [rows, heads, size], as its query."""
        keys, values = self._stored()
        rows, length = slice(0, self.decoding), slice(0, self.length)
        mask = self._mask(-1, 1, query)
        seen = grouped(query.unsqueeze(2), keys[rows, :, length], values[rows, :, length], mask, scaling)
        return seen.squeeze(2)

    def _cached(self, span: Span, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values from the beginning of the text of a span to its end, [1, key heads, stop, size]."""
        if span.row is None or span.start == 0:
            return key, value
        keys, values = self._stored()
        row = slice(span.row, span.row + 1)
        return keys[row, :, : span.stop], values[row, :, : span.stop]

    def _stored(self) -> tuple[Tensor, Tensor]:
        if self.keys is None or self.values is None:
            raise RuntimeError("a pass over cached rows has no cache")
        return self.keys, self.values

    def _mask(self, number: int, group: int, like: Tensor) -> Tensor:
        """Mask of a span for a group of query heads, or of the decoding rows (-1); made once for all layers."""
        if (number, group) not in self._masks:
            span = self.spans[number] if number >= 0 else None
            positions = torch.arange(span.start, span.stop, device=like.device)[None] if span else self.at[:, None]
            mask = later(positions, span.stop if span else self.length, like.dtype)
            self._masks[number, group] = mask.repeat(1, 1, group, 1)
        return self._masks[number, group]


_now: ContextVar[Pass | None] = ContextVar("pass", default=None)


@contextmanager
def running(one: Pass) -> Iterator[None]:
    """Let the attention of a model find the pass that it computes."""
    token = _now.set(one)
    try:
        yield
    finally:
        _now.reset(token)


def current() -> Pass | None:
    """The pass that is computed; None where a model is called by itself."""
    return _now.get()


def later(positions: Tensor, length: int, dtype: torch.dtype) -> Tensor:
    """What is added to the products of positions [batch, new] with those before `length`: minus infinity later.

    In the numbers of the model, [batch, 1, new, length]: of a mask of bits each layer would make such a one.
    """
    is_later = torch.arange(length, device=positions.device) > positions.unsqueeze(-1)  # [batch, new, length]
    mask = torch.zeros(is_later.shape, dtype=dtype, device=positions.device)
    return mask.masked_fill_(is_later, float("-inf")).unsqueeze(1)


def grouped(query: Tensor, key: Tensor, value: Tensor, mask: Tensor, scaling: float | None) -> Tensor:
    """Attention that never copies keys.

    Where several query heads share a head of keys, transformers repeats the keys for each of them in every step; here
    the query heads of a group stand one below the other as if they were more positions.

    Args:
        query: [batch, heads, new, size].
        key, value: [batch, key heads, length, size].
        mask: added to the products, [batch, 1, 1 or group * new, length].
        scaling: of the products; None: one over the root of the size.

    Returns:
        [batch, heads, new, size].
    """
    batch, heads, new, size = query.shape
    stacked = query.reshape(batch, key.shape[1], heads // key.shape[1] * new, size)
    seen: Tensor = scaled_dot_product_attention(stacked, key, value, attn_mask=mask, scale=scaling)
    return seen.reshape(batch, heads, new, size)
