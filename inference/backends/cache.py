"""Key/value cache with a slot per running sequence, read by every layer as views without copying.

Rows 0 .. decoding-1 belong to sequences that decode, the rows after them to prompts that are not complete yet. When a
sequence leaves, the last row of its part moves into the hole: a batch is always a prefix of the rows.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from inference.backends.passes import Pass

FIRST_ROWS = 4
FIRST_LENGTH = 256


class Aim:
    """What the next pass writes, and how much there is room for; shared by all layers."""

    def __init__(self) -> None:
        self.capacity = (FIRST_ROWS, FIRST_LENGTH)  # rows, positions
        self.of: Pass | None = None


class SlotLayer(CacheLayerMixin):  # type: ignore[no-untyped-call]
    """Keys and values of one layer, [rows, heads, positions, head size]."""

    def __init__(self, aim: Aim) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._aim = aim

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Allocate for heads and types as in the first states."""
        self.keys = self._grown(None, key_states)
        self.values = self._grown(None, value_states)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Keep new states [1, heads, tokens, head size] and show the pass all that is kept; return the new ones."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        one = self._aim.of
        if one is None:
            raise RuntimeError("the cache was not told of a pass")
        keys, values = self.stored()
        _write(one, keys, key_states)
        _write(one, values, value_states)
        one.keys, one.values = keys, values
        return key_states, value_states

    def grow(self) -> None:
        """Follow the capacity of the aim."""
        if self.is_initialized:
            self.keys, self.values = (self._grown(kept, kept) for kept in self.stored())

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first positions of a row to another row and wipe the source."""
        for kept in self.stored():
            kept[target, :, :length] = kept[source, :, :length]
        self.wipe(source, length)

    def wipe(self, row: int, length: int) -> None:
        """Zero a row: masked positions weigh nothing, but nothing times not-a-number is not a number."""
        for kept in self.stored():
            kept[row, :, :length] = 0

    def forget(self) -> None:
        """Give the memory back."""
        self.keys = self.values = None
        self.is_initialized = False

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Length and offset of what is read; masks are made by the pass."""
        return self._aim.capacity[1], 0

    def get_seq_length(self) -> int:
        """No one length: tokens carry their positions."""
        return 0

    def get_max_length(self) -> int:
        """No maximum: the cache grows."""
        return -1

    def _grown(self, kept: Tensor | None, like: Tensor) -> Tensor:
        rows, length = self._aim.capacity
        # Zeros, not empty: see wipe. Pages that are never written cost no memory.
        grown = torch.zeros((rows, like.shape[1], length, like.shape[3]), dtype=like.dtype, device=like.device)
        if kept is not None:
            grown[: kept.shape[0], :, : kept.shape[2]] = kept
        return grown

    def stored(self) -> tuple[Tensor, ...]:
        """Keys and values, nothing before the first pass."""
        return () if self.keys is None or self.values is None else (self.keys, self.values)


class SlotCache(Cache):
    """Cache of all layers.

    Args:
        layers: number of layers.
        max_rows: most rows it grows to.
        max_length: most positions it grows to.
    """

    def __init__(self, layers: int, max_rows: int, max_length: int) -> None:
        self._aim = Aim()
        self._limits = (max_rows, max_length)
        self._slots = [SlotLayer(self._aim) for _ in range(layers)]
        super().__init__(layers=list(self._slots))
        self.forget()

    def aim_at(self, one: Pass) -> None:
        """Prepare a pass."""
        self._reserve(one.rows, one.longest)
        self._aim.of = one

    def move(self, source: int, target: int, length: int) -> None:
        """Move the first positions of a row to another row."""
        for layer in self._slots:
            layer.move(source, target, length)

    def wipe(self, row: int, length: int) -> None:
        """Zero the first positions of a row."""
        for layer in self._slots:
            layer.wipe(row, length)

    def swap(self, one: int, other: int, length: int) -> None:
        """Exchange the first positions of two rows."""
        for layer in self._slots:
            for kept in layer.stored():
                kept[[one, other], :, :length] = kept[[other, one], :, :length]

    @property
    def memory_bytes(self) -> int:
        """Bytes that are kept now."""
        return sum(kept.nbytes for layer in self._slots for kept in layer.stored())

    def forget(self) -> None:
        """Empty the cache and give its memory back."""
        self._aim.capacity = (min(FIRST_ROWS, self._limits[0]), min(FIRST_LENGTH, self._limits[1]))
        self._aim.of = None  # the last pass still holds what its last layer had cached
        for layer in self._slots:
            layer.forget()

    def _reserve(self, rows: int, length: int) -> None:
        has_rows, has_length = self._aim.capacity
        if rows <= has_rows and length <= has_length:
            return
        # Doubling, so that growing costs one copy of every position in the long run.
        self._aim.capacity = (
            has_rows if rows <= has_rows else min(max(rows, 2 * has_rows), self._limits[0]),
            has_length if length <= has_length else min(max(length, 2 * has_length), self._limits[1]),
        )
        for layer in self._slots:
            layer.grow()


def _write(one: Pass, kept: Tensor, fresh: Tensor) -> None:
    """Put the states of a pass [1, heads, tokens, head size] where they belong [rows, heads, positions, head size]."""
    if one.decoding:
        kept[one.each, :, one.at] = fresh[0, :, : one.decoding].transpose(0, 1)
    for span in one.spans:
        if span.row is not None:
            kept[span.row, :, span.start : span.stop] = fresh[0, :, span.first : span.last]


def token_bytes(config: Any, dtype: torch.dtype) -> int:
    """Bytes that keys and values of one token take in all layers, by the configuration of a text model."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return 2 * int(config.num_hidden_layers * heads * size) * dtype.itemsize
