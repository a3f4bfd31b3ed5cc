"""Turn accounts and tokens into actors."""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser

from release_portal.accounts.models import ApiToken, User
from release_portal.core.actors import ANONYMOUS, Actor, ActorKind


def actor_of(user: User | AnonymousUser) -> Actor:
    """Return the actor for the account that is signed in; an inactive account is a stranger."""
    if not isinstance(user, User) or not user.is_active:
        return ANONYMOUS
    roles = frozenset(user.role_assignments.values_list("role", flat=True))
    return Actor(ActorKind.USER, str(user.pk), user.username, roles)


def actor_of_token(token: ApiToken) -> Actor:
    """Return the actor for an API token: its owner without any role, within the token's scopes.

    Roles are left out on purpose: a token may read and generate, but it can never decide. What a service does stands in
    the record under its owner's account and both names.
    """
    person = actor_of(token.user)
    name = f"{person.name}/{token.service}" if token.service else person.name
    return Actor(person.kind, person.id, name, frozenset(), frozenset(token.scopes))
