"""Who calls: the owner of the bearer token within its scopes, or nobody. Sessions and cookies are never read."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from release_portal.accounts.actors import actor_of_token
from release_portal.accounts.models import ApiToken
from release_portal.accounts.services import authenticate_token
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.core.clock import now
from release_portal.core.decisions import may_not
from release_portal.core.errors import NotAuthenticated, error_of

HOW = "Send the header 'Authorization: Bearer <token>'; create a token on your account page."


def nobody() -> Actor:
    """Return the actor for a request without a token."""
    return ANONYMOUS


class BearerToken(BaseAuthentication):
    """Reads the Authorization header; a header that is wrong is an error, not an anonymous request."""

    def authenticate(self, request: Request) -> tuple[Any, ApiToken] | None:
        """Return the actor and the token, or None when no header was sent."""
        header = request.META.get("HTTP_AUTHORIZATION")
        if header is None:
            return None
        scheme, _, secret = header.partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            raise NotAuthenticated("The Authorization header holds no API token.", code="token_missing", change=HOW)
        token = authenticate_token(secret.strip(), at=now())
        return actor_of_token(token), token

    def authenticate_header(self, request: Request) -> str:
        """Return the challenge that goes with a 401."""
        return "Bearer"


class TokenNeeded(BasePermission):
    """For addresses that have nothing to say without a token."""

    def has_permission(self, request: Request, view: Any) -> bool:
        """Refuse a request without a token, with the way out."""
        actor: Any = request.user
        if not actor.is_person:
            raise NotAuthenticated("No API token was sent.", code="token_missing", rule="token", change=HOW)
        return True


def needs_scope(actor: Actor, *scopes: str) -> None:
    """Refuse a token that carries none of the scopes; whoever comes without a token has none to show."""
    if actor.scopes is None or actor.scopes.intersection(scopes):
        return
    words = " or ".join(scopes)
    reason, change = f"This token does not carry the scope {words}.", f"Create a token with the scope {words}."
    raise error_of(may_not("scope", reason, f"token scope: {words}", f"{change} Your account page does that."))
