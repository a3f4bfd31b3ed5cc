"""Print a new API token for an account."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from release_portal.accounts.roles import scopes_for
from release_portal.accounts.services import create_token
from release_portal.core.clock import now
from release_portal.ops.commands import SHELL, account_named, readable_errors


class Command(BaseCommand):
    help = "Create an API token with every scope that the account may hold; the secret is the last line printed."

    def add_arguments(self, parser: CommandParser) -> None:
        """Read whose token it is."""
        parser.add_argument("user", help="account name, e.g. cleo")
        parser.add_argument("--name", default="command line", help="what the token is called")

    def handle(self, *args: Any, **options: Any) -> None:
        """Create and print."""
        with readable_errors():
            user = account_named(options["user"])
            scopes = scopes_for(user.role_assignments.values_list("role", flat=True))
            token, secret = create_token(SHELL, user, name=options["name"], scopes=scopes, at=now())
        self.stdout.write(f"Token {token.prefix}... of {user.username}: {', '.join(token.scopes)}. Shown this once:")
        self.stdout.write(secret)
