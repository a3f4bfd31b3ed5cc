"""What an error looks like to an OpenAI client."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponseBase, JsonResponse

from release_portal.core.clock import now
from release_portal.core.declare import by_token
from release_portal.core.errors import NotFound, NotNow, PortalError
from release_portal.openai_api.limits import add_headers

logger = structlog.get_logger("openai_api")

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}
# The client retries 409, so "not now" is 403 here.
CODES = dict.fromkeys(
    ("no_grant", "grant_expired", "grant_suspended", "grant_not_started", "grant_revoked", "grant_surrendered"),
    "model_gated",
)
# The version of its contract that the client knows; there has been no other.
CONTRACT = "2020-10-01"
# The client waits itself when the time is short; longer waits are for people.
LONGEST_RETRY_SECONDS = 120


class Limited(Exception):
    """A refusal by the quota, with the headers that say what is left of it."""

    def __init__(self, error: PortalError, headers: dict[str, str]) -> None:
        super().__init__(error.reason)
        self.error, self.headers = error, headers


def body_of(error: PortalError) -> dict[str, Any]:
    """Return the error object."""
    status = status_of(error)
    return {
        "message": f"{error.reason} {error.change}".strip(),
        "type": TYPES.get(status, "server_error"),
        "param": error.field or None,
        "code": CODES.get(error.code, error.code),
    }


def status_of(error: PortalError) -> int:
    """Return the status that makes the client raise the right exception and not retry in vain."""
    return 403 if isinstance(error, NotNow) else error.status


def error_response(request: HttpRequest, error: PortalError) -> JsonResponse:
    """Return the error as this interface answers it."""
    response = JsonResponse({"error": body_of(error)}, status=status_of(error))
    should_retry = error.status == 503
    if error.retry_at:
        seconds = max(1, int((error.retry_at - now()).total_seconds()) + 1)
        response["Retry-After"], response["retry-after-ms"] = str(seconds), str(seconds * 1000)
        should_retry = seconds <= LONGEST_RETRY_SECONDS
    response["x-should-retry"] = "true" if should_retry else "false"
    return response


def no_model(slug: str) -> NotFound:
    """Say that a model is not there, in the same words whether it is hidden or does not exist."""
    return NotFound(
        f"The model {slug[:100]!r} does not exist, or you may not know of it.",
        code="model_not_found",
        field="model",
        change="GET /v1/models lists what you may use.",
    )


def openai_view(*methods: str) -> Callable[[Callable[..., Awaitable[HttpResponseBase]]], Any]:
    """Declare a view of this interface: methods, token, and errors in the client's shape."""

    def declare(view: Callable[..., Awaitable[HttpResponseBase]]) -> Any:
        async def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            began = time.monotonic()
            response = await _answered(view, methods, request, *args, **kwargs)
            response["openai-version"] = CONTRACT
            response["openai-processing-ms"] = str(round((time.monotonic() - began) * 1000))
            return response

        answer.csrf_exempt = True  # type: ignore[attr-defined]  # tokens only, no cookie is read
        answer.__name__, answer.__doc__ = view.__name__, view.__doc__
        return by_token(answer)

    return declare


async def _answered(
    view: Callable[..., Awaitable[HttpResponseBase]],
    methods: tuple[str, ...],
    request: HttpRequest,
    *args: Any,
    **kwargs: Any,
) -> HttpResponseBase:
    if request.method not in methods:
        error = PortalError(f"This address takes {', '.join(methods)}.", code="method_not_allowed")
        error.status = 405
        return error_response(request, error)
    try:
        return await view(request, *args, **kwargs)
    except PortalError as error:
        return error_response(request, error)
    except Limited as refused:
        response = error_response(request, refused.error)
        add_headers(response, refused.headers)
        return response
