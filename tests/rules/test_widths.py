"""How wide the vectors of a size are, as the configuration of its weights says it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference.contract import weights_digest
from release_portal.registry.widths import width_of


@pytest.mark.parametrize(
    ("config", "width"),
    [
        ({"model_type": "gpt2", "n_embd": 1600}, 1600),
        ({"model_type": "llama", "hidden_size": 576}, 576),
        ({"model_type": "opt", "hidden_size": 1024, "word_embed_proj_dim": 512}, 512),
        ({"model_type": "mpt", "d_model": 768}, 768),
        ({"model_type": "gemma3", "text_config": {"hidden_size": 640}}, 640),
        ({"model_type": "llama"}, None),
        ({"model_type": "odd", "hidden_size": "wide"}, None),
    ],
)
def test_the_width_is_that_of_the_last_states(tmp_path: Path, config: dict[str, Any], width: int | None) -> None:
    """The smaller OPT projects its states: 1,024 numbers inside, 512 at the end."""
    (tmp_path / "blobs").mkdir()
    (tmp_path / "manifests").mkdir()
    (tmp_path / "blobs" / ("a" * 64)).write_text(json.dumps(config))
    files = {"config.json": {"sha256": "a" * 64, "size": 1}}
    digest = weights_digest(files)
    (tmp_path / "manifests" / f"{digest}.json").write_text(json.dumps({"files": files}))
    assert width_of(tmp_path, digest) == width
