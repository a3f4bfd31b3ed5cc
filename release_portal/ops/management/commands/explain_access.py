"""Print the line that decided."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from release_portal.access.lookups import decisions_for
from release_portal.access.policy import Action
from release_portal.accounts.actors import actor_of
from release_portal.core.actors import ANONYMOUS
from release_portal.core.clock import now
from release_portal.ops.commands import account_named
from release_portal.registry.models import ModelSize


class Command(BaseCommand):
    help = "Explain whether an account (or `anonymous`) may take an action on a size, and by which rule."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read who, what and how."""
        parser.add_argument("user", help="account name, or anonymous")
        parser.add_argument("size", help="lab/size-slug")
        parser.add_argument("action", choices=[action.value for action in Action])

    def handle(self, *args: Any, **options: Any) -> None:
        """Decide and print."""
        name = options["user"]
        actor = ANONYMOUS if name == "anonymous" else actor_of(account_named(name))
        size = ModelSize.objects.filter(slug=options["size"]).first()
        if size is None:
            raise CommandError(f"The catalogue has no size {options['size']}.")
        decision = decisions_for(actor, size, at=now())[Action(options["action"])]
        self.stdout.write(f"{'allowed' if decision else 'refused'}: {decision.code}")
        self.stdout.write(f"rule:   {decision.rule}\nreason: {decision.reason}")
        if decision.change:
            self.stdout.write(f"change: {decision.change}")
