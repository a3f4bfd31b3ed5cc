"""Fetch accounts and tokens for whoever may see them."""

from __future__ import annotations

from django.db.models import QuerySet

from release_portal.accounts.models import ApiToken, ApiTokenQuerySet, User
from release_portal.accounts.roles import Role
from release_portal.core.actors import Actor
from release_portal.core.errors import NotFound


def tokens_of(actor: Actor) -> ApiTokenQuerySet:
    """Return the actor's own tokens, newest first."""
    tokens = ApiToken.objects.all()
    return tokens.filter(user_id=int(actor.id)) if actor.is_person else tokens.none()


def people_for(actor: Actor) -> QuerySet[User]:
    """Return every account for administrators, nobody for others."""
    if actor.scopes is not None or not actor.has_role(Role.ADMINISTRATOR):
        return User.objects.none()
    return User.objects.prefetch_related("role_assignments").order_by("username")


def person_for(actor: Actor, account_id: int) -> User:
    """Return one account for administrators."""
    found = people_for(actor).filter(pk=account_id).first()
    if found is None:
        raise NotFound("There is no such account.", change="Look in the list of people.")
    return found


def chosen_person(number: str) -> User | None:
    """Return the account that was chosen in a form; the service decides whether it is fit for what is asked."""
    return User.objects.filter(pk=int(number[:9])).first() if number.isdecimal() else None


def holders_of(role: str) -> QuerySet[User]:
    """Return the active accounts that hold a role, for a form in which one of them is chosen."""
    return User.objects.filter(is_active=True, role_assignments__role=role).order_by("username")
