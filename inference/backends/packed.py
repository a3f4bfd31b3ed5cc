"""Linear layers whose weights are laid out for the processor once, at loading, and not anew in every pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

# Rows for which the blocks are laid out. Measured with 1 to 256 rows: no other layout is better by more than a tenth,
# neither in float32 nor in bfloat16, where laid out weights take 0.55 to 0.8 of the time.
ROWS = 16


def can_pack(weight: Tensor) -> bool:
    """Whether weights of this kind can be laid out: on a processor that computes in it, by a torch that has oneDNN."""
    backend: Any = torch.backends.mkldnn  # has no types
    has_layers = backend.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    return weight.device.type == "cpu" and has_layers and _computes_in(weight.dtype)


def _computes_in(dtype: torch.dtype) -> bool:
    if dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype == torch.float32


class Packed(nn.Module):
    """Linear layer over weights in blocks.

    Args:
        weight: [out, in].
        bias: [out], or None.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        super().__init__()
        self.nbytes = weight.nbytes
        self._weight = torch.ops.mkldnn._reorder_linear_weight(weight.detach().contiguous(), ROWS)
        self._bias = None if bias is None else bias.detach()

    def forward(self, given: Tensor) -> Tensor:
        """Return [..., out] of [..., in]."""
        made: Tensor = torch.ops.mkldnn._linear_pointwise(given, self._weight, self._bias, "none", [], "")
        return made

    __call__ = forward  # nothing is hung onto it that the longer way of nn.Module would have to look for


class OnePass:
    """Linear layers that are given the same tensor, such as those of queries, keys and values, computed together.

    Args:
        layers: with the same width of input, all with a bias or none.
    """

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        weights: list[Tensor] = [layer.weight for layer in layers]
        biases: list[Tensor] = [layer.bias for layer in layers if layer.bias is not None]
        self.packed = Packed(torch.cat(weights), torch.cat(biases) if biases else None)
        self._sizes = [layer.out_features for layer in layers]
        self._given: Tensor | None = None
        self._made: dict[int, Tensor] = {}

    def take(self, at: int, given: Tensor) -> Tensor:
        """Return what layer `at` makes of its input; nothing is kept once every layer was asked."""
        if given is not self._given or at not in self._made:
            self._given, self._made = given, dict(enumerate(self.packed(given).split_with_sizes(self._sizes, -1)))
        made = self._made.pop(at)
        if not self._made:
            self._given = None
        return made


class Part(nn.Module):
    """One layer of those that are computed together.

    Args:
        whole: the layers.
        at: which of them.
    """

    def __init__(self, whole: OnePass, at: int) -> None:
        super().__init__()
        self.nbytes = whole.packed.nbytes if at == 0 else 0
        self._whole, self._at = whole, at

    @property
    def together(self) -> Packed:
        """The layer that computes all of them, one after the other."""
        return self._whole.packed

    def forward(self, given: Tensor) -> Tensor:
        """Return [..., out] of [..., in]."""
        return self._whole.take(self._at, given)

    __call__ = forward


def packed_bytes(model: Any) -> int:
    """Memory of the laid out weights of a model."""
    return sum(layer.nbytes for layer in model.modules() if isinstance(layer, Packed | Part))
