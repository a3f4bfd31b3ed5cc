"""Files of the site's own: scripts, styles, pictures."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFiles(WhiteNoiseMiddleware):  # type: ignore[misc]
    """WhiteNoise for both ways of serving: a middleware that only knows one costs every request a thread."""

    async_capable = True
    sync_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        super().__init__(get_response)
        if iscoroutinefunction(get_response):
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> Any:
        """Answer with a file, or pass the request on."""
        return self._call_async(request) if iscoroutinefunction(self) else super().__call__(request)

    async def _call_async(self, request: HttpRequest) -> Any:
        answer = super().__call__(request)
        return await answer if isawaitable(answer) else answer
