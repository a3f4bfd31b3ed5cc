"""Start the whole portal: database, Redis, demo data, worker, settlement, epochs, beat and web."""

import fcntl
import http.client
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.core.clock import now
from release_portal.core.home import RUN_FILE, load_secrets, read_run, write_private
from release_portal.ops.commands import readable_errors
from release_portal.ops.demo import CAST, demo_password, write_demo
from release_portal.ops.redis_server import NoRedisServer, find_redis_server, free_port, is_free, redis_config
from release_portal.ops.stopping import stop_on_signals
from release_portal.ops.supervisor import Child, Supervisor
from release_portal.ops.worker_child import CELERY, QUIET, worker_child, worker_environment
from release_portal.registry.models import Revision

READY_SECONDS = 180.0


class Command(BaseCommand):
    help = "Start everything under one supervising process; Ctrl-C stops everything."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read what to leave out."""
        parser.add_argument("--no-demo", action="store_true", help="write no demo data")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, start, watch, stop."""
        self.home = Path(settings.PORTAL_HOME)
        for folder in ("logs", "static"):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        stop = stop_on_signals()
        with self._only_one():
            self._check_port()
            supervisor = Supervisor(self._environment(), self.home / "logs", self.say, self._note_processes)
            try:
                self._prepare(supervisor, with_demo=not options["no_demo"])
                self._start_processes(supervisor)
                self._announce(supervisor, stop, with_demo=not options["no_demo"])
                while not stop.wait(0.2):
                    supervisor.restart_dead()
            finally:
                self.say("stopping")
                supervisor.stop_all()
                self.say("stopped")

    def say(self, line: str) -> None:
        """Write a line to the console."""
        self.stdout.write(line)
        self.stdout.flush()

    # --- Before the processes -----------------------------------------------------------------------------------------

    def _only_one(self) -> TextIO:
        lock = (self.home / "up.lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CommandError(
                f"A portal already runs in {self.home}. Stop it, or set PORTAL_HOME and PORT for a second one."
            ) from error
        return lock

    def _check_port(self) -> None:
        if not is_free(settings.PORT):
            raise CommandError(
                f"Port {settings.PORT} is in use. Stop what uses it, or choose another: PORT=8001 make run"
            )

    def _environment(self) -> dict[str, str]:
        redis_url = os.environ.get("REDIS_URL") or self._embedded_redis_url()
        settings.REDIS_URL = redis_url
        return {
            **os.environ,
            "PORTAL_HOME": str(self.home),
            "PORT": str(settings.PORT),
            "INFERENCE_CONTEXT": str(settings.SERVED_CONTEXT),
            "INFERENCE_WATERMARK_KEYS": settings.PORTAL_KEYS["watermark"],
            **worker_environment(redis_url, settings.STORE_ROOT, settings.PORTAL_KEYS["permit"]),
        }

    def _embedded_redis_url(self) -> str:
        self.redis_port = free_port()
        return f"redis://:{load_secrets(self.home)['redis_password']}@127.0.0.1:{self.redis_port}/0"

    def _prepare(self, supervisor: Supervisor, *, with_demo: bool) -> None:
        write_private(
            self.home / RUN_FILE, {"redis_url": settings.REDIS_URL, "port": settings.PORT, "pid": os.getpid()}
        )
        if not os.environ.get("REDIS_URL"):
            self.say("redis: starting")
            supervisor.start(self._redis())
        self.say("database: migrating")
        call_command("migrate", verbosity=0)
        if with_demo and not settings.PRODUCTION:
            self.say("demo data: checking (the first time a model is converted, about half a minute)")
            with readable_errors():
                write_demo(at=now(), progress=lambda line: self.say(f"  {line}"))

    def _redis(self) -> Child:
        try:
            program = find_redis_server()
        except NoRedisServer as error:
            raise CommandError(str(error)) from error
        config = redis_config(self.redis_port, load_secrets(self.home)["redis_password"], self.home)
        return Child("redis", [program, "-"], stdin=config, is_quiet=True)

    # --- The processes ------------------------------------------------------------------------------------------------

    def _start_processes(self, supervisor: Supervisor) -> None:
        # The first request should not wait for the model.
        served = Revision.objects.filter(is_current=True).order_by("created_at").values_list("digest", flat=True)
        supervisor.environment.setdefault("INFERENCE_PRELOAD", ",".join(served))
        manage = [sys.executable, str(settings.BASE_DIR / "manage.py")]
        beat = ["--beat", f"--schedule={self.home / 'beat-schedule'}", "--pool=solo", "-n", "portal@%h"]
        bind = ["--host", os.environ.get("HOST", "127.0.0.1"), "--port", str(settings.PORT)]
        web = [
            "-m",
            "uvicorn",
            "release_portal.asgi:application",
            *bind,
            "--log-level",
            "warning",
            "--no-server-header",
        ]
        supervisor.start(worker_child())
        supervisor.start(Child("epochs", [*manage, "epochs"]))
        supervisor.start(Child("settle", [*manage, "settle"]))
        supervisor.start(Child("web", [sys.executable, *web, "--timeout-graceful-shutdown", "5"]))
        supervisor.start(Child("portal", [*CELERY, "-A", "release_portal", "worker", "-Q", "portal", *beat, *QUIET]))

    def _note_processes(self, pids: dict[str, int]) -> None:
        write_private(self.home / RUN_FILE, {**read_run(self.home), "processes": pids})

    def _announce(self, supervisor: Supervisor, stop: Any, *, with_demo: bool) -> None:
        began, waiting_for = time.monotonic(), ""
        while not stop.wait(0.3):
            supervisor.restart_dead()
            missing = self._not_ready()
            if not missing:
                break
            if missing != waiting_for:
                waiting_for = missing
                self.say(f"waiting for: {missing}")
            if time.monotonic() - began > READY_SECONDS:
                raise CommandError(
                    f"The portal is not ready after {READY_SECONDS:.0f} s: {missing}. See {self.home}/logs."
                )
        if not stop.is_set():
            self._welcome(with_demo)

    def _not_ready(self) -> str:
        connection = http.client.HTTPConnection("127.0.0.1", settings.PORT, timeout=5)
        try:
            connection.request("GET", "/readyz", headers={"Host": urlsplit(settings.PUBLIC_URL).netloc})
            answer = json.loads(connection.getresponse().read())
        except (OSError, ValueError):
            return "web"
        finally:
            connection.close()
        return ", ".join(name for name, check in answer["checks"].items() if not check["ok"])

    def _welcome(self, with_demo: bool) -> None:
        if with_demo and not settings.PRODUCTION:
            self.say("\nDemo accounts (sign in with name and password):")
            for person in CAST:
                self.say(f"  {person.name:<6} {demo_password()}   {person.says}")
        self.say(f"\nThe portal is ready: {settings.PUBLIC_URL}\n")
