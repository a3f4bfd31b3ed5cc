"""Loads backends: from the weights store for the worker, from a folder for the shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from inference.backends.classifier import ClassifierBackend
from inference.backends.slots import SlotBackend
from inference.backends.weights import WeightsStore
from inference.engine.backend import Backend, LoadError
from inference.watermark import Watermark

Open = Callable[[Path], Backend]  # makes a backend of a model folder

CLASSIFIER = "ForSequenceClassification"  # how transformers ends the names of such architectures


def open_backend(
    folder: Path,
    *,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    max_slots: int = 64,
    max_context: int = 2048,
    max_cache_tokens: int = 0,
    watermark: Watermark | None = None,
) -> Backend:
    """Open a folder as what its configuration says it is: a classifier, else a causal language model."""
    if _is_classifier(folder):
        return ClassifierBackend(folder, device=device, dtype=dtype, max_slots=max_slots, max_context=max_context)
    return SlotBackend(
        folder,
        device=device,
        dtype=dtype,
        max_slots=max_slots,
        max_context=max_context,
        max_cache_tokens=max_cache_tokens,
        watermark=watermark,
    )


def _is_classifier(folder: Path) -> bool:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return any(name.endswith(CLASSIFIER) for name in config.get("architectures") or ())


@dataclass(frozen=True)
class StoreLoader:
    """Loads what a weights digest names, after every file was checked against it.

    Args:
        store: the weights store.
        open_folder: makes a backend of a folder.
    """

    store: WeightsStore
    open_folder: Open = open_backend

    def weigh(self, digest: str) -> int:
        """Bytes of the files, a good guess at the memory they take; raises LoadError."""
        return self.store.size(digest)

    def load(self, digest: str) -> Backend:
        """Load a model size; raises LoadError."""
        with self.store.folder(digest) as folder:
            return _open(self.open_folder, folder)


@dataclass(frozen=True)
class FolderLoader:
    """Loads one folder whatever digest is asked for; checks nothing.

    Args:
        folder: the model folder.
        open_folder: makes a backend of a folder.
    """

    folder: Path
    open_folder: Open = open_backend

    def weigh(self, digest: str) -> int:
        """Bytes of the files."""
        return sum(path.stat().st_size for path in self.folder.iterdir() if path.is_file())

    def load(self, digest: str) -> Backend:
        """Load the folder; raises LoadError."""
        return _open(self.open_folder, self.folder)


def _open(open_folder: Open, folder: Path) -> Backend:
    try:
        return open_folder(folder)
    except Exception as error:  # noqa: BLE001 - foreign files fail in any way; the request ends, the worker does not
        raise LoadError(f"the model files cannot be loaded: {type(error).__name__}") from error
