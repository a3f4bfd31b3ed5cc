"""What transformers' own numbers would have chosen, token by token, and how close another choice was."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModelForCausalLM

from inference.backends.sampling import Choice, Draw, choose
from inference.contract import SamplingSettings
from inference.engine.request import Request

# Logits of different batch shapes differ by about 2.5e-5: where the two best lie closer than this, the second may win.
CLOSE = 1e-3
# As little moves the border of top-p: a token that lies on it is in the nucleus of one and not of the other.
ON_THE_BORDER = 2.5e-5

Asked = tuple[Request, list[int]]  # and what it said


@cache
def reference(folder: Path) -> Any:
    """The model as transformers loads it, without an end-of-text token."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = None
    return model


@torch.inference_mode()
def chosen_by_reference(model: Any, asked: Asked) -> tuple[list[int | None], list[float]]:
    """What the reference chooses after the prompt and after each part of the answer, and how close the second was."""
    request, said = asked
    ids = torch.tensor([[*request.prompt_ids, *said]])
    logits: Tensor = model(ids).logits[0, len(request.prompt_ids) - 1 : -1]
    if request.order.settings.temperature == 0:
        best = logits.topk(2)
        return best.indices[:, 0].tolist(), (best.values[:, 0] - best.values[:, 1]).tolist()
    choices = _drawn(logits, request.order.settings)
    others = [_drawn(logits, narrower_or_wider) for narrower_or_wider in _borders(request.order.settings)]
    gaps = [
        choice.gap if all(other[at].token == choice.token for other in others) else 0.0
        for at, choice in enumerate(choices)
    ]
    return [choice.token for choice in choices], gaps


def _drawn(logits: Tensor, settings: SamplingSettings) -> list[Choice]:
    """What is drawn from the logits [completion tokens, vocabulary] of one answer."""
    return choose(logits, [Draw(settings, 0, position) for position in range(len(logits))])


def _borders(settings: SamplingSettings) -> list[SamplingSettings]:
    """The settings with a nucleus that is narrower, and wider, by less than batch shapes move it."""
    return [replace(settings, top_p=settings.top_p + by) for by in (-ON_THE_BORDER, ON_THE_BORDER)]
