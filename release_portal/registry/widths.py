"""How many numbers has a size's vector for a text? Read from the configuration that came with its weights."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from release_portal.registry import store

# The families' own names, most telling first: some project their last states into another width.
NAMES = ("word_embed_proj_dim", "hidden_size", "n_embd", "d_model")


@lru_cache(maxsize=64)
def width_of(root: Path, digest: str) -> int | None:
    """Return the width of the hidden states that these weights give; None where the configuration does not say it."""
    text = store.path_of(root, digest, "config.json").read_text(encoding="utf-8")
    config: dict[str, Any] = json.loads(text)
    config = config.get("text_config") or config
    found = next((config[name] for name in NAMES if isinstance(config.get(name), int)), None)
    return int(found) if found else None
