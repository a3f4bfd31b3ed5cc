"""Bring a family of models into the catalogue."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.accounts.actors import actor_of
from release_portal.core.clock import now
from release_portal.ops.commands import account_named, readable_errors
from release_portal.ops.families import load_new_family
from release_portal.registry.catalogue import CatalogueError, load_family


class Command(BaseCommand):
    help = "Load a family of models from a YAML file; its sizes start at the stage Registered."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read which file, and who loads it."""
        parser.add_argument("file", type=Path, help="YAML file, written as those in registry/catalogue")
        parser.add_argument("--by", required=True, help="account of a release manager or administrator")

    def handle(self, *args: Any, **options: Any) -> None:
        """Load it and print its sizes."""
        try:
            facts = load_family(options["file"])
        except (OSError, CatalogueError) as error:
            raise CommandError(str(error)) from error
        actor = actor_of(account_named(options["by"]))
        with readable_errors():
            sizes = load_new_family(actor, facts, at=now())
        for size in sizes:
            self.stdout.write(f"{size.slug} stands at {size.standing.place.label}.")
