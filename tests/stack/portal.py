"""A whole portal under `manage.py up`, for tests against the real parts: web, worker, Redis, settlement, epochs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis

CHECKOUT = Path(__file__).resolve().parents[2]
START_SECONDS = 600.0  # the first on a machine converts the model, beside whatever else runs there


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 30.0) -> Any:
    """Return what the condition returns once it is true; fail naming what was waited for."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.05)
    raise AssertionError(f"waited {seconds:.0f} s for: {what}")


@dataclass
class Portal:
    """One running portal in a folder of its own."""

    home: Path
    port: int
    process: subprocess.Popen[str] | None = None
    lines: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
        return {**kept, "PORTAL_HOME": str(self.home), "PORT": str(self.port), "DJANGO_SETTINGS_MODULE": ""} | {
            "DJANGO_SETTINGS_MODULE": "release_portal.settings",
            "MODEL_CACHE": str(CHECKOUT / ".cache" / "models"),
        }

    def start(self) -> None:
        """Start and wait until everything is ready."""
        self.home.mkdir(parents=True, exist_ok=True)
        log = (self.home / "up.log").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=CHECKOUT,
            env=self.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        log.close()
        wait_for(self._is_up, f"the portal; its log:\n{self.log()[-4000:]}", START_SECONDS)

    def _is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"manage.py up ended with {self.process.returncode}:\n{self.log()[-4000:]}")
        return "The portal is ready" in self.log()

    def stop(self) -> None:
        """Stop as Ctrl-C does."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(40)

    def log(self) -> str:
        path = self.home / "up.log"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    @property
    def password(self) -> str:
        """The password of the demo accounts, read from where people read it."""
        found = re.search(r"^\s+cleo\s+(\S+)\s", self.log(), re.MULTILINE)
        assert found, "make run prints the demo passwords"
        return found.group(1)

    def run_file(self) -> dict[str, Any]:
        return json.loads((self.home / "run.json").read_text(encoding="utf-8"))

    def pid(self, name: str) -> int:
        """Process id of a child: redis, web, worker, settle, epochs, portal."""
        return int(self.run_file()["processes"][name])

    def kill(self, name: str, how: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal to a child; return the process id that it had."""
        pid = self.pid(name)
        os.kill(pid, how)
        return pid

    def is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self, seconds: float = 60.0) -> None:
        wait_for(self.is_ready, "the portal to be ready again", seconds)

    def redis(self) -> redis.Redis:
        return redis.Redis.from_url(self.run_file()["redis_url"], decode_responses=True)

    def manage(self, *arguments: str) -> str:
        """Run a command of the portal and return what it prints."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def token(self, name: str) -> str:
        """A new API token of a demo account, as the command prints it."""
        return self.manage("api_token", name).strip().splitlines()[-1]

    def ask(self, code: str) -> str:
        """Run lines of Python inside the portal's Django and return what they print."""
        return self.manage("shell", "--no-imports", "-c", code).strip()

    def job(self, job_id: str) -> dict[str, Any]:
        """The row of a job, as plain values."""
        names = "state finish_reason completion_tokens charged_tokens prompt_tokens reserved_tokens"
        code = (
            "import json; from release_portal.jobs.models import Job; "
            f"j = Job.objects.get(pk={job_id!r}); print(json.dumps({{n: getattr(j, n) for n in {names.split()!r}}}))"
        )
        return json.loads(self.ask(code).splitlines()[-1])
