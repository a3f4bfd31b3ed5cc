"""The process that copies epochs to Redis and holds the lease."""

import os
import socket
from typing import Any

from django.core.management.base import BaseCommand

from inference.contract import POLICY_KEY
from release_portal.access.policy import POLICY_MARK
from release_portal.core.redis_client import redis_client
from release_portal.epochs.publisher import run
from release_portal.ops.stopping import stop_on_signals


class Command(BaseCommand):
    help = "Copy epochs to Redis and renew the lease until stopped. Without it no token is made."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        self.stdout.write("epochs: copying, and holding the lease")
        marks = {POLICY_KEY: POLICY_MARK}
        run(redis_client(), f"{socket.gethostname()}:{os.getpid()}", stop_on_signals(), marks)
