"""Models of transformers from a folder: whole, from safetensors, and without code of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from inference.backends.packed import packed_bytes
from inference.backends.quicker import quicken


def load_whole(kind: Any, folder: Path, dtype: torch.dtype, device: torch.device, **options: Any) -> Any:
    """Load a model to a device and make it quicker there; raises ValueError when some of its weights are missing.

    Args:
        kind: the class of transformers that knows the task.
        folder: the model folder.
        dtype: of the weights.
        device: where it computes.
        options: what else `from_pretrained` takes.
    """
    model, info = kind.from_pretrained(
        folder,
        dtype=dtype,
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
        **options,
    )
    if info["missing_keys"] or info["mismatched_keys"]:
        # transformers would serve random numbers in their place.
        raise ValueError("the weight files do not hold every weight of the configuration")
    model.to(device, computed_in(dtype, device)).eval()
    quicken(model)  # there: how weights are laid out depends on the device
    if packed_bytes(model):
        _leave_the_file(model)
    return model


def _leave_the_file(model: Any) -> None:
    """Copy what was not laid out anew: one table that still lies in a file keeps all of the file in memory."""
    for weight in model.parameters():
        weight.data = weight.data.clone()


def computed_in(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """In which numbers a model computes whose weights are of this type.

    On a processor without instructions for bfloat16 the weights are rounded to it and computing goes on in float32:
    measured, with 16 rows or more, bfloat16 takes three to seven times as long there.
    """
    is_slow = dtype == torch.bfloat16 and device.type == "cpu" and not has_bfloat16()
    return torch.float32 if is_slow else dtype


def has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 itself, as torch asks it."""
    check = getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", None)
    return check is None or bool(check())


def weights_bytes(model: Any) -> int:
    """Memory of the weights of a model."""
    kept: int = sum(each.nbytes for each in model.parameters())
    return kept + packed_bytes(model)
