"""Publish a version of the research access agreement."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.access.agreements.services import FIRST_TEXT, publish_agreement
from release_portal.core.clock import now
from release_portal.ops.commands import SHELL, readable_errors


class Command(BaseCommand):
    help = (
        "Publish a Markdown file as the next version of the agreement, in force at once; the shipped text by default."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Read which text."""
        parser.add_argument("file", nargs="?", type=Path, default=FIRST_TEXT, help="Markdown file, UTF-8")

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish it."""
        try:
            text = options["file"].read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{options['file']} cannot be read: {error}") from error
        at = now()
        with readable_errors():
            version = publish_agreement(SHELL, text, effective_from=at, at=at)
        self.stdout.write(f"Version {version.number} is in force; SHA-256 {version.sha256}.")
