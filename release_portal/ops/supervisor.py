"""Run child processes, restart those that die, and stop all of them together."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from release_portal.core.processes import end_with_parent

STOP_SECONDS = 15.0
# A child that dies again at once is restarted more and more slowly.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.2, 15.0
HEALTHY_SECONDS = 20.0


@dataclass
class Child:
    """One process of the portal.

    Args:
        name: as shown before each of its lines.
        command: program and arguments.
        stdin: text handed to it at the start, e.g. a configuration with a password.
        is_quiet: its lines go to its log file only.
    """

    name: str
    command: Sequence[str]
    stdin: str = ""
    is_quiet: bool = False
    process: subprocess.Popen[str] | None = None
    started_at: float = 0.0
    wait: float = FIRST_WAIT_SECONDS
    due_at: float = 0.0

    @property
    def is_running(self) -> bool:
        """Whether the process lives."""
        return self.process is not None and self.process.poll() is None


@dataclass
class Supervisor:
    """Owns the children.

    Args:
        environment: variables for every child.
        logs: folder for one log file per child.
        say: receives lines for the console.
        on_change: called with the process ids by name whenever one starts.
    """

    environment: dict[str, str]
    logs: Path
    say: Callable[[str], object]
    on_change: Callable[[dict[str, int]], None]
    children: list[Child] = field(default_factory=list)

    def start(self, child: Child) -> None:
        """Start a child and watch it from now on."""
        self.children.append(child)
        self._launch(child)

    def restart_dead(self) -> None:
        """Start again what has died, after a wait that grows while it keeps dying."""
        for child in self.children:
            if child.is_running:
                continue
            if not child.due_at:
                self._plan_restart(child)
            elif time.monotonic() >= child.due_at:
                self._launch(child)

    def stop_all(self) -> None:
        """Ask every child to stop, last started first, and end those that do not."""
        running = [child for child in reversed(self.children) if child.is_running]
        redis_last = sorted(running, key=lambda child: child.name == "redis")
        for child in redis_last:
            assert child.process is not None
            if child.name != "redis":
                child.process.terminate()
        deadline = time.monotonic() + STOP_SECONDS
        for child in redis_last:
            self._await_end(child, deadline)

    def _await_end(self, child: Child, deadline: float) -> None:
        assert child.process is not None
        if child.name == "redis":
            child.process.terminate()
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.say(f"{child.name} does not stop; ending it")
            child.process.kill()
            child.process.wait()

    def _plan_restart(self, child: Child) -> None:
        assert child.process is not None
        if time.monotonic() - child.started_at > HEALTHY_SECONDS:
            child.wait = FIRST_WAIT_SECONDS
        self.say(f"{child.name} ended with {child.process.returncode}; starting it again")
        child.due_at = time.monotonic() + child.wait
        child.wait = min(child.wait * 2, LONGEST_WAIT_SECONDS)

    def _launch(self, child: Child) -> None:
        child.process = subprocess.Popen(  # noqa: S603 - our own commands
            child.command,
            env=dict(self.environment),
            stdin=subprocess.PIPE if child.stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C reaches the supervisor only; it stops the children in order
            preexec_fn=partial(end_with_parent, os.getpid()),  # noqa: PLW1509 - no process may hold the port without an owner
        )
        if child.stdin and child.process.stdin:
            child.process.stdin.write(child.stdin)
            child.process.stdin.close()
        child.started_at, child.due_at = time.monotonic(), 0.0
        threading.Thread(target=self._pump, args=(child, child.process), daemon=True).start()
        self.on_change({one.name: one.process.pid for one in self.children if one.process and one.is_running})

    def _pump(self, child: Child, process: subprocess.Popen[str]) -> None:
        """Copy a child's lines to its log file and to the console."""
        with (self.logs / f"{child.name}.log").open("a", encoding="utf-8") as log:
            for line in process.stdout or ():
                log.write(line)
                log.flush()
                if not child.is_quiet:
                    self.say(f"{child.name:>8} | {line.rstrip()}")
