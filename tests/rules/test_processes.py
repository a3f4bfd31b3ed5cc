"""A process that belongs to another one ends where that is gone, and not because of what its number is."""

from __future__ import annotations

import subprocess
import sys

import pytest

from release_portal.core import processes

PROGRAM = "import os; from release_portal.core.processes import end_with_parent; end_with_parent({parent}); print('on')"


@pytest.mark.parametrize(
    ("parent", "expected"), [("os.getppid()", (0, "on")), ("os.getpid()", (1, ""))], ids=["there", "gone"]
)
def test_whoever_has_another_parent_by_now_ends_at_once(parent: str, expected: tuple[int, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(parent=parent)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == expected


def test_a_parent_that_is_the_first_process_of_a_container_is_a_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(processes.os, "getppid", lambda: 1)
    monkeypatch.setattr(processes.os, "_exit", ended.append)
    monkeypatch.setattr(processes.ctypes, "CDLL", lambda name: type("C", (), {"prctl": lambda *args: 0})())
    processes.end_with_parent(1)
    assert ended == []
    processes.end_with_parent(7)
    assert ended == [1]
