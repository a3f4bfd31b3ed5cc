"""Give a role to an account, e.g. to the first administrator."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from release_portal.accounts.roles import Role
from release_portal.accounts.services import give_role
from release_portal.core.clock import now
from release_portal.ops.commands import SHELL, account_named, readable_errors


class Command(BaseCommand):
    help = "Give a role to an account; `give_role NAME administrator` makes the first administrator."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read account, role and reason."""
        parser.add_argument("user")
        parser.add_argument("role", choices=[role.value for role in Role])
        parser.add_argument("--reason", default="given on the command line")

    def handle(self, *args: Any, **options: Any) -> None:
        """Give the role and say so."""
        with readable_errors():
            give_role(SHELL, account_named(options["user"]), options["role"], reason=options["reason"], at=now())
        self.stdout.write(f"{options['user']} is {options['role'].replace('_', ' ')}.")
