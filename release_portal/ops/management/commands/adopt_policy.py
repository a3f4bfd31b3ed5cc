"""Put a stored release policy in force."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.accounts.actors import actor_of
from release_portal.core.clock import now
from release_portal.ops.commands import account_named, readable_errors
from release_portal.registry.models import ModelFamily
from release_portal.releases.policy_services import adopt_policy, stored_policy


class Command(BaseCommand):
    help = "Put a stored release policy in force, for one family or for all; open proposals keep theirs."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read which policy, for what, by whom and why."""
        parser.add_argument("policy", help="name, which means its highest version, or digest")
        parser.add_argument(
            "--family", default="", help="slug of the family; all that have none of their own if left out"
        )
        parser.add_argument("--by", required=True, help="account of a release manager")
        parser.add_argument("--reason", required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        """Adopt it and say for what."""
        family = _family(options["family"])
        actor = actor_of(account_named(options["by"]))
        with readable_errors():
            version = stored_policy(options["policy"])
            adopt_policy(actor, version.digest, family=family, reason=options["reason"], at=now())
        self.stdout.write(f"{version} is in force for {family or 'all families'}.")


def _family(slug: str) -> ModelFamily | None:
    family = ModelFamily.objects.filter(slug=slug).first()
    if slug and family is None:
        raise CommandError(f"There is no family {slug!r}.")
    return family
