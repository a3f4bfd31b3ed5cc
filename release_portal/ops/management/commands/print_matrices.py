"""Print the published matrix."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from release_portal.ops.matrices import matrices


class Command(BaseCommand):
    help = "Write docs/matrices.md from the lifecycle tables."

    def add_arguments(self, parser: CommandParser) -> None:
        """Nothing beyond the usual."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Write the file."""
        path = settings.BASE_DIR / "docs" / "matrices.md"
        path.write_text(matrices(), encoding="utf-8")
        self.stdout.write(f"{path.name} is written.")
