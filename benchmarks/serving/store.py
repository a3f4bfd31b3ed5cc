"""A weights store for a measurement: a model folder, laid out by links."""

from __future__ import annotations

import hashlib
from pathlib import Path

from inference.contract import manifest_bytes, weights_digest


def linked_store(folder: Path, store: Path) -> str:
    """Lay a model folder out as a store, which must not be there yet; return the weights digest."""
    (store / "blobs").mkdir(parents=True)
    (store / "manifests").mkdir()
    files = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        with path.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        (store / "blobs" / sha256).symlink_to(path)
        files[path.name] = {"sha256": sha256, "size": path.stat().st_size}
    digest = weights_digest(files)
    (store / "manifests" / f"{digest}.json").write_bytes(manifest_bytes(files))
    return digest
