"""Store a programme file, and let it apply to a family at a stage."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.access.programmes.services import STAGES, publish_programme, store_programme, stored_programme
from release_portal.accounts.actors import actor_of
from release_portal.core.clock import now
from release_portal.ops.commands import account_named, readable_errors
from release_portal.registry.models import ModelFamily


class Command(BaseCommand):
    help = (
        "Let a programme apply to a family at a stage; a wrong file is refused with its line. Applications keep theirs."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Read which file, for what, by whom and why."""
        parser.add_argument("programme", help="YAML file, UTF-8; or name or digest of a stored one")
        parser.add_argument("--family", required=True, help="slug of the family")
        parser.add_argument("--stage", required=True, choices=STAGES)
        parser.add_argument("--by", required=True, help="account of the lead of that kind of grant")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Publish it and say for what."""
        family = ModelFamily.objects.filter(slug=options["family"]).first()
        if family is None:
            raise CommandError(f"There is no family {options['family']!r}.")
        actor, path, at = actor_of(account_named(options["by"])), Path(options["programme"]), now()
        with readable_errors():
            version = store_programme(actor, _text(path), at=at) if path.is_file() else stored_programme(str(path))
            given = {"family": family, "stage": options["stage"], "reason": options["reason"]}
            publish_programme(actor, version.digest, at=at, **given)
        self.stdout.write(f"{version} applies to {family} at {options['stage']}; SHA-256 {version.digest}.")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
