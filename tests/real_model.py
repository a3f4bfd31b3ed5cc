"""The real model for tests: converted once per machine, shared with the portal's own import."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from release_portal.registry.demo_model import converted_folder, demo_source

CACHE = Path(__file__).resolve().parents[1] / ".cache" / "models"


@cache
def real_model_folder() -> Path:
    """Return the Hub-style folder of the demo model; the first call on a machine takes about half a minute."""
    return converted_folder(demo_source(), CACHE)
