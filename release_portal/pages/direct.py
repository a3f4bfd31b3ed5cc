"""Middlewares of Django and its kin, called where the request stands.

Under an asynchronous server Django gives every look of these at a request or an answer to a thread, a dozen times for
each request. They only look: a thread is needed where an answer makes them write, and where a form is read.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import sync_to_async
from csp.middleware import CSPMiddleware
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware

# For these no form is read.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class Direct:
    """Stands before a middleware made with MiddlewareMixin, and calls it without a thread where it does not write."""

    get_response: Callable[[HttpRequest], Any]

    def writes(self, request: HttpRequest) -> bool:
        """Whether the middleware asks the database or another store when it sees the answer."""
        return False

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        """Handle a request of an asynchronous server."""
        begin, end = getattr(self, "process_request", None), getattr(self, "process_response", None)
        response: HttpResponseBase = (begin(request) if begin else None) or await self.get_response(request)
        if end is not None:
            response = await sync_to_async(end)(request, response) if self.writes(request) else end(request, response)
        return response


class Security(Direct, SecurityMiddleware):
    """Headers that keep browsers from guessing, and the way to https."""


class ContentPolicy(Direct, CSPMiddleware):
    """What a page may load, and from where."""


class Sessions(Direct, SessionMiddleware):
    """The session of a browser."""

    def writes(self, request: HttpRequest) -> bool:
        """Whether something was put into the session."""
        session = getattr(request, "session", None)
        return session is not None and (session.modified or settings.SESSION_SAVE_EVERY_REQUEST)


class Common(Direct, CommonMiddleware):
    """Slashes at the end of addresses, and the length of answers."""


class Csrf(Direct, CsrfViewMiddleware):
    """Forms are taken from our own pages alone."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if self.async_mode:
            self.process_view = self._aprocess_view  # type: ignore[assignment, method-assign]

    async def _aprocess_view(
        self, request: HttpRequest, callback: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        check = super().process_view
        if request.method in SAFE_METHODS or getattr(callback, "csrf_exempt", False):
            return check(request, callback, args, kwargs)
        return await sync_to_async(check)(request, callback, args, kwargs)


class Authentication(Direct, AuthenticationMiddleware):
    """Who is signed in, read when somebody asks."""


class Messages(Direct, MessageMiddleware):
    """What a page tells once."""

    def writes(self, request: HttpRequest) -> bool:
        """Whether messages were added or read, and have to be kept or forgotten."""
        kept = getattr(request, "_messages", None)
        return kept is not None and (kept.used or kept.added_new)


class Framing(Direct, XFrameOptionsMiddleware):
    """No page of ours within another's."""
