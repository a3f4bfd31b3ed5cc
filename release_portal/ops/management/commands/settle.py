"""The process that writes the end of every job."""

from typing import Any

from django.core.management.base import BaseCommand

from release_portal.core.redis_client import redis_client
from release_portal.jobs.settle import Settlement
from release_portal.ops.stopping import stop_on_signals


class Command(BaseCommand):
    help = "Settle ended jobs and end lost ones until stopped. Run exactly one."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        self.stdout.write("settlement: waiting for outcomes")
        Settlement(redis_client()).run(stop_on_signals())
