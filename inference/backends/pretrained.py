"""Models of transformers from a folder: whole, from safetensors, and without code of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from inference.backends.quicker import quicken


def load_whole(kind: Any, folder: Path, dtype: torch.dtype, **options: Any) -> Any:
    """Load a model and make it quicker; raises ValueError when some of its weights are missing.

    Args:
        kind: the class of transformers that knows the task.
        folder: the model folder.
        dtype: of the weights.
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
    quicken(model)
    return model
