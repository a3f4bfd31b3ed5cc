"""Who calls: the owner of the bearer token, within its scopes."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from django.http import HttpRequest

from release_portal.accounts.actors import actor_of_token
from release_portal.accounts.services import authenticate_token
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.errors import NotAuthenticated


def caller_of(request: HttpRequest) -> Actor:
    """Return the actor for the Authorization header; raise NotAuthenticated with the way out."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret.strip():
        raise NotAuthenticated(
            "No API token was sent.",
            code="token_missing",
            change="Send the header 'Authorization: Bearer <token>'; create a token on your account page.",
        )
    return actor_of_token(authenticate_token(secret.strip(), at=now()))


caller = sync_to_async(caller_of)
