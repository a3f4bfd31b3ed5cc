"""Import the weights of a size."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from release_portal.core.clock import now
from release_portal.ops.commands import SHELL, readable_errors
from release_portal.ops.importing import import_weights


class Command(BaseCommand):
    help = "Import weights into the store: from a folder, a GGUF file, or a Hub id where a network exists."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read size and source."""
        parser.add_argument("id", help="size in the catalogue, e.g. huggingfacetb/smollm2-135m-instruct")
        parser.add_argument("source", help="folder, GGUF file or Hub id")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, showing each step."""
        with readable_errors():
            revision = import_weights(SHELL, options["id"], options["source"], at=now(), progress=self.stdout.write)
        self.stdout.write(f"{options['id']} is served from revision {revision.commit}.")
