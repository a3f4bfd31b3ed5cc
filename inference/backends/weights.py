"""The worker's view of the weights store: read a manifest, check every file, lay out a folder to load from."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from inference.contract import weights_digest
from inference.engine.backend import LoadError

DIGEST = re.compile(r"[0-9a-f]{64}")
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*")  # no folders, nothing hidden


@dataclass(frozen=True)
class WeightsStore:
    """Content-addressed files; layout in contract/weights.py.

    Args:
        root: folder with `blobs` and `manifests`.
    """

    root: Path

    def size(self, digest: str) -> int:
        """Bytes of all files; raises LoadError when the manifest is not there or not what its digest says."""
        return sum(int(entry["size"]) for entry in self._manifest(digest).values())

    @contextmanager
    def folder(self, digest: str) -> Iterator[Path]:
        """Folder of links to the checked files, gone afterwards; raises LoadError for any file that differs."""
        files = self._manifest(digest)
        with TemporaryDirectory(prefix="weights-") as name:
            for file_name, entry in files.items():
                blob = self._checked(file_name, str(entry["sha256"]))
                (Path(name) / file_name).symlink_to(blob)
            yield Path(name)

    def _manifest(self, digest: str) -> dict[str, dict[str, str | int]]:
        if not DIGEST.fullmatch(digest):
            raise LoadError("not a weights digest")
        try:
            text = (self.root / "manifests" / f"{digest}.json").read_bytes()
            files: dict[str, dict[str, str | int]] = json.loads(text)["files"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise LoadError(f"no readable manifest for {digest}") from error
        if weights_digest(files) != digest:
            raise LoadError(f"the manifest of {digest} is not what its digest says")
        return files

    def _checked(self, file_name: str, expected: str) -> Path:
        if not FILE_NAME.fullmatch(file_name) or not DIGEST.fullmatch(expected):
            raise LoadError("the manifest names a file that has no place in a model folder")
        blob = (self.root / "blobs" / expected).absolute()
        try:
            with blob.open("rb") as stream:
                found = hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise LoadError(f"{file_name} is not in the store") from error
        if found != expected:
            raise LoadError(f"{file_name} is not what the manifest says")
        return blob
