"""Who asks, under which request id; and errors in the shape of pages."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Any

import structlog
from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.utils.functional import SimpleLazyObject

from release_portal.accounts.actors import actor_of
from release_portal.core.actors import Actor
from release_portal.core.body_sizes import limit_of, too_large
from release_portal.core.errors import NotFound, PortalError
from release_portal.pages.errors import error_page, is_for_people

logger = structlog.get_logger("request")

# Asked every few seconds by whoever watches the portal.
QUIET_PATHS = frozenset({"/healthz", "/readyz"})


class RequestContext:
    """Gives each request an id and its actor, writes one log line, and refuses bodies that are too large.

    The line holds method, path, status and time: no query, no body, no Authorization.
    """

    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Handle a request in whichever way the server runs."""
        if iscoroutinefunction(self):
            return self._call_async(request)
        refusal, began = self._begin(request), time.monotonic()
        response = error_page(request, refusal) if refusal else self.get_response(request)
        return self._end(request, response, began)

    async def _call_async(self, request: HttpRequest) -> HttpResponse:
        refusal, began = self._begin(request), time.monotonic()
        refused = await sync_to_async(error_page)(request, refusal) if refusal else None
        return self._end(request, refused or await self.get_response(request), began)

    def _begin(self, request: HttpRequest) -> PortalError | None:
        request.request_id = f"req-{secrets.token_hex(8)}"  # type: ignore[attr-defined]
        _give_actor(request)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request.request_id)  # type: ignore[attr-defined]
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdigit() and int(length) > limit_of(request.path):
            return too_large(request.path)
        if "\x00" in request.path:  # databases refuse it with an error of their own
            return NotFound("There is nothing at this address.", change="Check the address.")
        return None

    def _end(self, request: HttpRequest, response: HttpResponse, began: float) -> HttpResponse:
        response["X-Request-Id"] = request.request_id  # type: ignore[attr-defined]
        if request.path in QUIET_PATHS and response.status_code < 500:
            return response
        logger.info(
            "request",
            request_id=request.request_id,  # type: ignore[attr-defined]
            method=request.method,
            path=_path_without_secret(request),
            status=response.status_code,
            ms=round((time.monotonic() - began) * 1000),
        )
        return response


def _path_without_secret(request: HttpRequest) -> str:
    """Return the path as it may be written down: a link that was mailed is a secret."""
    token = request.resolver_match.kwargs.get("token", "") if request.resolver_match else ""
    return request.path.replace(token, "...") if token else request.path


def _give_actor(request: HttpRequest) -> None:
    """Let views ask for `request.actor`, or `await request.aactor()` where they are async; read when asked for."""
    # A body that is refused early has passed no session yet: its page is a visitor's.
    actor: Actor = SimpleLazyObject(  # type: ignore[assignment]
        lambda: actor_of(getattr(request, "user", AnonymousUser()))
    )

    def read() -> Actor:
        str(actor.kind)  # reading an attribute is what makes a lazy object look at the database
        return actor

    request.actor = actor  # type: ignore[attr-defined]
    request.aactor = sync_to_async(read)  # type: ignore[attr-defined]


class PortalErrors:
    """Turns the portal's errors, raised by any view of ours, into pages."""

    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Pass the request on; `process_exception` does the work."""
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Answer with the error's page; anything that is not ours stays a 500."""
        if isinstance(exception, PortalError) and is_for_people(request):
            return error_page(request, exception)
        return None
