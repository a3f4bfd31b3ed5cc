"""Start the demo over: empty database, fresh demo data; imported weights stay in the store."""

import fcntl
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.core.clock import now
from release_portal.ops.commands import readable_errors
from release_portal.ops.demo import write_demo


class Command(BaseCommand):
    help = "Empty the embedded database and write the demo data anew. Refused while the portal runs, or in production."

    def add_arguments(self, parser: CommandParser) -> None:
        """Nothing beyond the usual."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Empty and fill."""
        if settings.PRODUCTION:
            raise CommandError("This is a production portal; its database is not emptied by a command.")
        home = Path(settings.PORTAL_HOME)
        home.mkdir(parents=True, exist_ok=True)
        with (home / "up.lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CommandError("The portal is running. Stop it first (Ctrl-C), then reset.") from error
            call_command("migrate", verbosity=0)
            call_command("flush", interactive=False, verbosity=0)
            with readable_errors():
                write_demo(at=now(), progress=self.stdout.write)
        self.stdout.write("The demo data is as on the first day.")
