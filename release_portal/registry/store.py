"""The content-addressed store of weights: files by their sha256, and manifests that name the files of a revision.

The layout stands in `inference/contract/weights.py`, because the worker reads it too.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from inference.contract import manifest_bytes, weights_digest

REQUIRED = ("config.json", "tokenizer.json")
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})  # formats that can run code when read
SHARD_INDEX = "model.safetensors.index.json"

Progress = Callable[[str], None]


class StoreError(ValueError):
    """A folder that cannot be stored, or a digest or file that is not there; the message names the file."""


@dataclass(frozen=True)
class StoredFile:
    """One file of a revision."""

    name: str  # path inside the folder, with forward slashes
    sha256: str
    size: int  # bytes


# --- Adding --------------------------------------------------------------------------------------------------------


def add_folder(root: Path, folder: Path, progress: Progress = lambda line: None, *, may_link: bool = False) -> str:
    """Store the files of a Hub-style folder and return their weights digest; the manifest is written last.

    Files whose bytes are already stored are not copied again, so an interrupted add goes on where it stopped.

    Args:
        root: folder of the store; made when missing.
        folder: what to store; hidden files and pickles beside safetensors are left out.
        progress: receives one line per file.
        may_link: share the bytes by hard link; only for folders that nobody edits in place.

    Raises:
        StoreError: a file is missing, damaged, a link to outside, or a pickle without safetensors.
        OSError: the store cannot be written.
    """
    names = _storable_files(folder, progress)
    _check_complete(folder, names)
    with _exclusive(root):
        stored = [_add_file(root, folder / name, name, progress, may_link) for name in names]
        files = {file.name: {"sha256": file.sha256, "size": file.size} for file in stored}
        digest = weights_digest(files)
        _write_whole(root / "manifests" / f"{digest}.json", manifest_bytes(files))
    return digest


def _storable_files(folder: Path, progress: Progress) -> list[str]:
    if not folder.is_dir():
        raise StoreError(f"{folder} is not a folder")
    names = [path.relative_to(folder).as_posix() for path in _visible_files(folder)]
    pickles = [name for name in names if Path(name).suffix.lower() in PICKLES]
    if pickles and not _weights_in(names):
        raise StoreError(
            f"{', '.join(pickles)}: pickled weights can run code when read; give model.safetensors instead"
        )
    for name in pickles:
        progress(f"{name} left out: pickles are never stored")
    return [name for name in names if name not in pickles]


def _visible_files(folder: Path) -> Iterator[Path]:
    home = folder.resolve()
    for path in sorted(folder.rglob("*")):
        if any(part.startswith(".") for part in path.relative_to(folder).parts):
            continue  # .gitattributes, caches of clients, markers of a conversion
        if path.is_symlink() and not path.resolve().is_relative_to(home):
            name = path.relative_to(folder).as_posix()
            raise StoreError(f"{name} is a link to outside the folder; copy the file itself")
        if path.is_file():
            yield path


def _weights_in(names: list[str]) -> list[str]:
    return [name for name in names if "/" not in name and name.endswith(".safetensors")]


def _check_complete(folder: Path, names: list[str]) -> None:
    for name in REQUIRED:
        if name not in names:
            raise StoreError(f"{name} is missing in {folder.name}; a Hub-style folder needs it")
    if not _weights_in(names):
        raise StoreError(f"model.safetensors is missing in {folder.name}; a Hub-style folder needs it")
    for name in _weights_in(names):
        _check_safetensors(folder / name)
    for name in _shards(folder):
        if name not in names:
            raise StoreError(f"{name} is missing in {folder.name}, but {SHARD_INDEX} lists it")


def _shards(folder: Path) -> list[str]:
    index = folder / SHARD_INDEX
    try:
        return sorted(set(json.loads(index.read_text())["weight_map"].values())) if index.is_file() else []
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise StoreError(f"{SHARD_INDEX} is not an index of shards: {error}") from error


def _check_safetensors(path: Path) -> None:
    """Refuse weights shorter or longer than their own header says, before anybody waits for their digest."""
    actual = path.stat().st_size
    with path.open("rb") as file:
        header_size = int.from_bytes(file.read(8), "little")
        try:
            header = json.loads(file.read(header_size)) if header_size <= actual - 8 else {}
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
            expected = 8 + header_size + max(ends, default=0)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise StoreError(f"{path.name} is not a safetensors file") from error
    if actual != expected:
        raise StoreError(f"{path.name} is truncated or damaged: {actual} bytes where its header says {expected}")


def _add_file(root: Path, source: Path, name: str, progress: Progress, may_link: bool) -> StoredFile:
    digest, size = _sha256(source), source.stat().st_size
    blob = root / "blobs" / digest
    if _is_intact(blob, digest, size):
        progress(f"{name}: {size} bytes, already stored")
    else:
        _place(source, blob, may_link)
        progress(f"{name}: {size} bytes, sha256 {digest}")
    return StoredFile(name, digest, size)


def _is_intact(blob: Path, digest: str, size: int) -> bool:
    # A damaged blob is replaced: adding the folder again is the way to repair a store.
    return blob.is_file() and blob.stat().st_size == size and _sha256(blob) == digest


def _place(source: Path, blob: Path, may_link: bool) -> None:
    blob.parent.mkdir(parents=True, exist_ok=True)
    partial = blob.with_name(f"{blob.name}.partial")
    partial.unlink(missing_ok=True)  # what an interrupted add left behind
    linked = False
    if may_link:
        with suppress(OSError):  # another file system, or one without hard links: copy
            os.link(source.resolve(), partial)
            linked = True
    if not linked:
        shutil.copyfile(source, partial)
    _settle(partial, blob, source.name)


def _settle(partial: Path, blob: Path, name: str) -> None:
    if _sha256(partial) != blob.name:
        partial.unlink()
        raise StoreError(f"{name} changed while it was being stored; try again")
    _sync(partial)
    partial.replace(blob)


def _write_whole(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    partial.write_bytes(data)
    _sync(partial)
    partial.replace(path)


@contextmanager
def _exclusive(root: Path) -> Iterator[None]:
    # One writer at a time: two adds of the same file would write the same partial.
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


# --- Reading -------------------------------------------------------------------------------------------------------


def list_digests(root: Path) -> list[str]:
    """Return the weights digests of every revision in the store, sorted."""
    return sorted(path.stem for path in (root / "manifests").glob("*.json"))


def list_files(root: Path, digest: str) -> list[StoredFile]:
    """Return the files of a revision, sorted by name; raises StoreError for an unknown digest or altered manifest."""
    path = _manifest_path(root, digest)
    try:
        files = json.loads(path.read_text())["files"]
    except OSError as error:
        raise StoreError(f"manifest {digest} is not in the store") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(f"manifest {digest} is damaged") from error
    if weights_digest(files) != digest:
        raise StoreError(f"manifest {digest} was altered: its content has another digest")
    return [StoredFile(name, entry["sha256"], entry["size"]) for name, entry in sorted(files.items())]


def path_of(root: Path, digest: str, filename: str) -> Path:
    """Return where the bytes of a file of a revision lie; raises StoreError when the revision has no such file."""
    for file in list_files(root, digest):
        if file.name == filename:
            return root / "blobs" / file.sha256
    raise StoreError(f"{filename} is not a file of {digest}")


def open_file(root: Path, digest: str, filename: str) -> BinaryIO:
    """Open a file of a revision for reading; raises StoreError when it is not there."""
    try:
        return path_of(root, digest, filename).open("rb")
    except FileNotFoundError as error:
        raise StoreError(f"{filename} of {digest} is missing from the store") from error


def verify(root: Path, digest: str) -> list[str]:
    """Read every byte of a revision and return what is wrong, one sentence per file; empty when all is well."""
    try:
        files = list_files(root, digest)
    except StoreError as error:
        return [str(error)]
    return [problem for file in files if (problem := _problem_of(root / "blobs" / file.sha256, file))]


def _problem_of(blob: Path, file: StoredFile) -> str:
    if not blob.is_file():
        return f"{file.name} is missing"
    size = blob.stat().st_size
    if size != file.size:
        return f"{file.name} is {'truncated' if size < file.size else 'too long'}: {size} of {file.size} bytes"
    found = _sha256(blob)
    return "" if found == file.sha256 else f"{file.name} holds other bytes: sha256 {found} instead of {file.sha256}"


def _manifest_path(root: Path, digest: str) -> Path:
    # Digests come from addresses and permits too: nothing but 64 hex digits ever becomes part of a path.
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise StoreError(f"{digest!r} is not a weights digest")
    return root / "manifests" / f"{digest}.json"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
