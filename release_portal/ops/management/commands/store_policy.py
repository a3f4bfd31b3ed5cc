"""Store a release policy file, without adopting it."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.accounts.actors import actor_of
from release_portal.core.clock import now
from release_portal.ops.commands import account_named, readable_errors
from release_portal.releases.policy_services import store_policy


class Command(BaseCommand):
    help = "Store a release policy file; a wrong one is refused with its line. adopt_policy puts it in force."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read which file, and who stores it."""
        parser.add_argument("file", type=Path, help="YAML file, UTF-8")
        parser.add_argument("--by", required=True, help="account of a release manager or administrator")

    def handle(self, *args: Any, **options: Any) -> None:
        """Store it and print its digest."""
        try:
            text = options["file"].read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from error
        actor = actor_of(account_named(options["by"]))
        with readable_errors():
            version = store_policy(actor, text, at=now())
        self.stdout.write(f"{version} is stored; SHA-256 {version.digest}.")
