"""Loads backends: from the weights store for the worker, from a folder for the shell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from inference.backends.slots import SlotBackend
from inference.backends.weights import WeightsStore
from inference.engine.backend import Backend, LoadError

Open = Callable[[Path], Backend]  # makes a backend of a model folder


@dataclass(frozen=True)
class StoreLoader:
    """Loads what a weights digest names, after every file was checked against it.

    Args:
        store: the weights store.
        open_folder: makes a backend of a folder.
    """

    store: WeightsStore
    open_folder: Open = SlotBackend

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
    open_folder: Open = SlotBackend

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
