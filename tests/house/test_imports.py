"""Who may import whom: the contracts are kept, and planted violations are caught."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import FORBIDDEN
from tests.house.code import PACKAGES, ROOT

LINT = Path(sys.executable).with_name("lint-imports")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [str(LINT), "--no-cache"], cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree, to plant something in."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def test_the_contracts_are_kept() -> None:
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("path", "line", "named"),
    [
        ("release_portal/registry/models.py", "import release_portal.jobs.services", "release_portal.jobs"),
        ("release_portal/pages/context.py", "import torch", "torch"),
        ("release_portal/access/policy.py", "import django.db.models", "django"),
        ("inference/engine/loop.py", "import release_portal.core.clock", "release_portal"),
    ],
)  # fmt: skip
def test_a_planted_violation_is_caught_and_named(copy: Path, path: str, line: str, named: str) -> None:
    file = copy / path
    text = file.read_text(encoding="utf-8")
    first = text.index("from __future__")
    end = text.index("\n", first) + 1
    file.write_text(f"{text[:end]}{line}\n{text[end:]}", encoding="utf-8")
    done = lint(copy)
    assert done.returncode != 0
    broken = done.stdout[done.stdout.index("Broken contracts") :]
    module = path.removesuffix(".py").replace("/", ".")
    assert module in broken
    assert named in broken


def test_a_room_that_nobody_listed_is_caught(copy: Path) -> None:
    (copy / "release_portal" / "attic").mkdir()
    (copy / "release_portal" / "attic" / "__init__.py").write_text('"""Nobody knows where this stands."""\n')
    done = lint(copy)
    assert done.returncode != 0
    assert "attic" in done.stdout


def test_the_whole_portal_starts_without_torch() -> None:
    """Import-linter does not see chains through third parties; a process does."""
    code = (
        "import sys, django; django.setup();"
        "import release_portal.urls, release_portal.asgi, release_portal.tasks;"
        "from django.urls import get_resolver; get_resolver().url_patterns;"
        "from django.core.management import load_command_class, get_commands;"
        "[load_command_class(app, name) for name, app in get_commands().items() if app == 'release_portal.ops'];"
        f"print(sorted(set(sys.modules) & set({FORBIDDEN!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr


@pytest.mark.parametrize("name", FORBIDDEN)
def test_no_test_outside_inference_can_import_it(name: str) -> None:
    """Seen to fail with the hook taken off `sys.meta_path`."""
    with pytest.raises(ModuleNotFoundError, match="blocked outside tests/inference"):
        __import__(name)
