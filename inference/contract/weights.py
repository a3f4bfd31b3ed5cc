"""The weights store: content-addressed, written by the portal, read by the worker.

<store>/blobs/<sha256>               bytes of one file
<store>/manifests/<digest>.json      {"files": {"model.safetensors": {"sha256": ..., "size": ...}, ...}}

The weights digest is the sha256 of the canonical JSON of that manifest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def manifest_bytes(files: Mapping[str, Mapping[str, Any]]) -> bytes:
    """Canonical JSON of a manifest: file name -> {"sha256", "size"}."""
    return json.dumps({"files": files}, sort_keys=True, separators=(",", ":")).encode()


def weights_digest(files: Mapping[str, Mapping[str, Any]]) -> str:
    """Digest that names exactly these files: sha256 of the canonical manifest, 64 lowercase hex digits."""
    return hashlib.sha256(manifest_bytes(files)).hexdigest()
