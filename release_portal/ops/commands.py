"""What the portal's commands share: the actor of the shell, and errors as people read them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError

from release_portal.accounts.models import User
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import PortalError

SHELL: Actor = system_actor("command line")


@contextmanager
def readable_errors() -> Iterator[None]:
    """Turn the portal's errors into a line that names the field, the reason and the way out."""
    try:
        yield
    except PortalError as error:
        field = f"{error.field}: " if error.field else ""
        raise CommandError(f"{field}{error.reason} {error.change}".strip()) from error


def account_named(name: str) -> User:
    """Return the account of that name; raise CommandError otherwise."""
    user = User.objects.filter(username=name).first()
    if user is None:
        raise CommandError(f"There is no account {name!r}.")
    return user


Writer = Callable[[str], object]
