"""Errors that middleware meets before a machine interface has the request: the shape of that interface."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse

from release_portal.core.clock import now
from release_portal.core.error_body import error_body, retry_after
from release_portal.core.errors import PortalError

# Its clients read four keys, and the sentence must hold the way out.
OPENAI_PREFIX = "/v1/"


def machine_error(request: HttpRequest, error: PortalError) -> HttpResponse:
    """Return the error as JSON, in the shape of the interface that was asked."""
    body = error_body(error, getattr(request, "request_id", ""))
    if request.path.startswith(OPENAI_PREFIX):
        message = f"{error.reason} {error.change}".strip()
        body = {"error": {"message": message, **{key: body["error"][key] for key in ("type", "param", "code")}}}
    response = JsonResponse(body, status=error.status)
    seconds = retry_after(error, now())
    if seconds is not None:
        response["Retry-After"] = str(seconds)
    return response
