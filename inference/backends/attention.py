"""The attention that models of transformers are given here."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from transformers import AttentionInterface

from inference.backends.passes import current, grouped

ATTENTION = "grouped"  # name by which transformers finds `attend`


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention of a pass over many texts, or of a model called by itself.

    Args:
        module: layer; not looked at.
        query: [batch, heads, new, head size].
        key, value: [batch, key heads, length, head size].
        attention_mask: [batch, 1, new, length], true (or 0) where a new position may look; not asked within a pass.
        scaling: of the products; None: one over the root of the head size.
    """
    if (one := current()) is not None:
        return one.attend(query, key, value, scaling), None
    mask = attention_mask.repeat(1, 1, query.shape[1] // key.shape[1], 1)
    return grouped(query, key, value, mask, scaling).transpose(1, 2).contiguous(), None


AttentionInterface.register(ATTENTION, attend)
