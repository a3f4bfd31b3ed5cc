"""One vector for a text: the hidden states of the last layer, pooled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from inference.contract import EmbedResult, Pooling


@dataclass
class Embedding:
    """Hidden states of a text, pooled chunk by chunk, always in float32."""

    pooling: Pooling
    tokens: int = 0
    state: Tensor | None = None  # [width], the sum of all states so far, or the last of them

    def add(self, hidden: Tensor) -> None:
        """Add the hidden states of the next tokens, [positions, width]."""
        self.tokens += len(hidden)
        if self.pooling is Pooling.LAST:
            self.state = hidden[-1].float()
        else:
            states = hidden.float().sum(0)  # [width]
            self.state = states if self.state is None else self.state + states

    def result(self) -> EmbedResult | None:
        """The vector; None when its numbers are not finite, or no token was read."""
        if self.state is None:
            return None
        vector = self.state / self.tokens if self.pooling is Pooling.MEAN else self.state
        if not torch.isfinite(vector).all():
            return None
        return EmbedResult.of(vector.tolist(), self.pooling, self.tokens)
