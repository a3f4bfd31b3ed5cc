"""The record's kinds, short functions, and settings that are written down."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from release_portal.audit.events import CATALOGUE
from tests.house.code import ROOT, dotted, sources, tree, walk

LONGEST = 40
# Longer than that, and why.
LONG_FUNCTIONS: dict[str, str] = {
    "release_portal/pages/style_guide.py:sample_context": "one literal: a sample for every component",
}
# Declared ahead of the service that will record them, and where that is planned.
NOT_YET_RECORDED: dict[str, str] = {}


def recorded_kinds() -> set[str]:
    """Every kind that some service hands to `record`: directly, through a helper, or by a table of kinds."""
    outside = {
        node.value
        for path in sources()
        if path != ROOT / "release_portal/audit/events.py"
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return outside & set(CATALOGUE)


def test_every_kind_of_the_catalogue_is_recorded_by_some_service() -> None:
    assert set(CATALOGUE) - recorded_kinds() == set(NOT_YET_RECORDED)


def test_every_kind_that_is_recorded_stands_in_the_catalogue() -> None:
    used = {}
    for name, node in walk():
        if isinstance(node, ast.Call) and dotted(node.func).split(".")[-1] in {"record", "_record"} and node.args:
            for one in ast.walk(node.args[0]):
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    used[one.value] = name
    assert len(used) > 10, "the search finds the calls"
    assert {kind: name for kind, name in used.items() if kind not in CATALOGUE and "." in kind} == {}


def test_functions_are_short() -> None:
    """A function that is longer has a name and a reason in LONG_FUNCTIONS."""
    long = {}
    for name, node in walk():
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno:
            first = node.body[0]
            is_documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            words = (first.end_lineno or 0) - first.lineno + 1 if is_documented else 0
            lines = node.end_lineno - node.lineno + 1 - words
            if lines > LONGEST:
                long[f"{name}:{node.name}"] = lines
    assert set(long) == set(LONG_FUNCTIONS), long


def test_only_the_clock_knows_what_time_it_is() -> None:
    calls = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "timezone.now", "dt.datetime.now"}
    found = {
        f"{name}:{node.lineno}"
        for name, node in walk()
        if isinstance(node, ast.Call) and dotted(node.func) in calls and name != "release_portal/core/clock.py"
    }
    assert found == set()


# --- Settings -------------------------------------------------------------------------------------------------------


def documented() -> dict[str, str]:
    """Variable -> heading of the table in docs/configuration.md that lists it."""
    found, heading = {}, ""
    for line in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        if match := re.match(r"\| `([A-Z_]+)` \|", line):
            assert match[1] not in found, f"{match[1]} is listed twice"
            found[match[1]] = heading
    return found


def asked_elsewhere() -> set[str]:
    """Variables that are read without `settings.env`: by the worker, and by `manage.py up`."""
    names = set()
    for path in (ROOT / "inference").rglob("*.py"):
        names |= set(re.findall(r'"(INFERENCE_[A-Z_]+)"', path.read_text(encoding="utf-8")))
    for path in sources():
        text = path.read_text(encoding="utf-8")
        names |= set(re.findall(r"environ(?:\.get\(|\[)[\"']([A-Z_]+)[\"']", text))
    return names


def test_every_variable_that_is_asked_for_is_documented_and_no_other() -> None:
    from release_portal import settings

    assert set(documented()) == set(settings.env.asked) | asked_elsewhere()
    portal = {name for name, heading in documented().items() if heading == "The portal"}
    assert portal == set(settings.env.asked)


SAFE = {
    "PORTAL_ENV": "production",
    "DEBUG": "0",
    "SECRET_KEY": "x" * 50,
    "PUBLIC_URL": "https://portal.example.org",
    "DATABASE_URL": "postgres://user:secret@localhost/portal",
    "REDIS_URL": "redis://localhost:6379/0",
    "ALLOWED_HOSTS": "portal.example.org",
    "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
    **{f"{name}_KEYS": "v1:" + "A" * 43 + "=" for name in ("PERMIT", "CONTENT", "PROVENANCE", "WATERMARK", "SIGNING")},
}


def start(home: Path, changes: dict[str, str | None]) -> subprocess.CompletedProcess[str]:
    values = {**SAFE, **changes}
    clean = {name: value for name, value in os.environ.items() if name not in SAFE}
    env = {**clean, "PORTAL_HOME": str(home), **{name: value for name, value in values.items() if value is not None}}
    return subprocess.run(
        [sys.executable, "-c", "import release_portal.settings"],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


def test_production_starts_with_safe_settings_and_makes_no_secrets_of_its_own(tmp_path: Path) -> None:
    done = start(tmp_path, {})
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("DEBUG", "1", "DEBUG"),
        ("SECRET_KEY", None, "SECRET_KEY"),
        ("SECRET_KEY", "x" * 49, "SECRET_KEY"),
        ("PUBLIC_URL", "http://portal.example.org", "PUBLIC_URL"),
        ("DATABASE_URL", None, "DATABASE_URL"),
        ("REDIS_URL", None, "REDIS_URL"),
        ("ALLOWED_HOSTS", None, "ALLOWED_HOSTS"),
        ("ALLOWED_HOSTS", "a.example,*", "ALLOWED_HOSTS"),
        ("EMAIL_BACKEND", None, "EMAIL_BACKEND"),
        ("PERMIT_KEYS", None, "PERMIT_KEYS"),
        ("SIGNING_KEYS", "", "SIGNING_KEYS"),
        ("PORTAL_ENV", "prod", "PORTAL_ENV"),
        ("PORT", "eighty", "PORT"),
    ],
)
def test_unsafe_or_unreadable_settings_refuse_to_start_and_are_named(
    tmp_path: Path, variable: str, value: str | None, named: str
) -> None:
    done = start(tmp_path, {variable: value})
    assert done.returncode != 0
    last = done.stderr.strip().splitlines()
    assert any("ImproperlyConfigured" in line for line in last)
    assert named in done.stderr.split("ImproperlyConfigured")[-1]


def test_all_problems_are_named_at_once(tmp_path: Path) -> None:
    done = start(tmp_path, {"DEBUG": "1", "REDIS_URL": None, "CONTENT_KEYS": None})
    for name in ("DEBUG", "REDIS_URL", "CONTENT_KEYS"):
        assert name in done.stderr.split("ImproperlyConfigured")[-1]


def test_every_folder_of_tests_is_a_package() -> None:
    """Of two test files with one name in folders that are none, pytest collects the first alone."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert {folder.name for folder in folders if not (folder / "__init__.py").exists()} == set()
