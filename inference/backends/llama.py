"""Layers of Llama in fewer steps.

Between its large products such a model takes hundreds of small steps in every pass. While one text is written each of
them costs more than it computes: together they took a quarter of the time. Hence also `__call__ = forward`: nothing is
hung onto these layers that the way of nn.Module would have to look for.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaMLP, LlamaRMSNorm

from inference.backends.attention import ATTENTION, attend
from inference.backends.packed import Packed, Part


def fewer_steps(layer: nn.Module) -> nn.Module:
    """Return a layer that computes the same: one of ours for one of Llama's whose weights are laid out, else itself.

    The attention of a model that was loaded with another than ours stays with it.
    """
    if type(layer) is LlamaRMSNorm:
        return Norm(layer)
    if type(layer) is LlamaAttention and isinstance(layer.q_proj, Part) and _attends_here(layer):
        return Attention(layer, layer.q_proj.together)
    if type(layer) is LlamaMLP and isinstance(layer.gate_proj, Part):
        return FeedForward(layer, layer.gate_proj.together)
    return layer


def _attends_here(layer: LlamaAttention) -> bool:
    return bool(layer.config._attn_implementation == ATTENTION)


class Norm(nn.Module):
    """RMSNorm (Zhang and Sennrich 2019): a token's numbers over the root of the mean of their squares."""

    def __init__(self, layer: LlamaRMSNorm) -> None:
        super().__init__()
        self.weight = layer.weight  # [width]
        self._epsilon: Tensor
        epsilon = torch.full((1,), layer.variance_epsilon, device=self.weight.device)
        self.register_buffer("_epsilon", epsilon, persistent=False)
        self._share = 1 / len(self.weight)

    def forward(self, given: Tensor) -> Tensor:
        """Return [..., width] of [..., width]."""
        length = torch.linalg.vector_norm(given, dim=-1, keepdim=True, dtype=torch.float32)  # [..., 1]
        scale = torch.addcmul(self._epsilon, length, length, value=self._share).rsqrt_()  # [..., 1], float32
        return (given * scale).to(given.dtype).mul_(self.weight)

    __call__ = forward


class Attention(nn.Module):
    """Attention with queries and keys turned together, as they come from one product.

    Args:
        layer: the one of transformers.
        made: queries, keys and values of a token, computed together.
    """

    def __init__(self, layer: LlamaAttention, made: Packed) -> None:
        super().__init__()
        self.made, self.out = made, layer.o_proj
        self._size, self._scaling, self._number = layer.head_dim, layer.scaling, layer.layer_idx
        self._queries = layer.config.num_attention_heads
        self._turned = self._queries + (layer.config.num_key_value_heads or self._queries)

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor],
        attention_mask: Tensor,
        **given: Any,
    ) -> tuple[Tensor, None]:
        """Return [batch, tokens, width] of the same, as the layer of transformers does.

        Args:
            hidden_states: [batch, tokens, width].
            position_embeddings: cosine and sine of the angle of every position, [1 or batch, tokens, size] each.
            attention_mask: as `attend` takes it.
            given: the cache, if there is one, under either of its names; the rest is not looked at.
        """
        made = self.made(hidden_states)
        heads = made.view(*made.shape[:-1], -1, self._size)  # [batch, tokens, heads, size]
        turned = _turned(heads[:, :, : self._turned], *position_embeddings).transpose(1, 2)
        query, key = turned[:, : self._queries], turned[:, self._queries :]  # [batch, heads, tokens, size]
        value = heads[:, :, self._turned :].transpose(1, 2)
        cache = given.get("cache", given.get("past_key_values"))
        if cache is not None:
            key, value = cache.update(key, value, self._number)
        seen, _ = attend(self, query, key, value, attention_mask, scaling=self._scaling)
        return self.out(seen.flatten(2)), None

    __call__ = forward


def _turned(heads: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Rotary position embedding (Su et al. 2021) of heads [batch, tokens, heads, size]."""
    first, second = heads.chunk(2, -1)
    crosswise = torch.cat((-second, first), -1)
    return torch.addcmul(heads * cosine.unsqueeze(2), crosswise, sine.unsqueeze(2))


class FeedForward(nn.Module):
    """The gated layers between attentions.

    Args:
        layer: the one of transformers.
        made: gate and what passes it, computed together.
    """

    def __init__(self, layer: LlamaMLP, made: Packed) -> None:
        super().__init__()
        self.made, self.open, self.out = made, layer.act_fn, layer.down_proj
        self._width = layer.intermediate_size

    def forward(self, given: Tensor) -> Tensor:
        """Return [..., width] of [..., width]."""
        made = self.made(given)  # [..., 2 * inner width]
        gate, passing = made.narrow(-1, 0, self._width), made.narrow(-1, self._width, self._width)
        out: Tensor = self.out(self.open(gate).mul_(passing))
        return out

    __call__ = forward
