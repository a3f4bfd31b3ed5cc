"""The request as our views know it: Django's, with its actor, its id and htmx's details."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from django.http import HttpRequest

from release_portal.core.actors import Actor

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails


class PortalRequest(HttpRequest):
    """For type checkers; the middleware puts these onto Django's request."""

    request_id: str
    htmx: HtmxDetails
    actor: Actor
    aactor: Callable[[], Awaitable[Actor]]
