"""What an error looks like under /api/: whatever went wrong, one shape."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import Http404
from rest_framework import exceptions
from rest_framework.response import Response

from release_portal.core.clock import now
from release_portal.core.error_body import error_body, retry_after
from release_portal.core.errors import Incomplete, InvalidInput, NotFound, PortalError, TooLarge

DOCS = "The reference is at /api/docs/."


class MethodNotTaken(PortalError):
    """The address does not take this method."""

    status = 405
    code = "method_not_allowed"


class WrongMediaType(PortalError):
    """The body is not in the format that the address reads."""

    status = 415
    code = "unsupported_media_type"


class WrongFields(Incomplete):
    """Fields of the request are unknown, missing or outside their limits.

    Args:
        problems: pairs of field and sentence.
    """

    status = 400
    code = "invalid_input"

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        field, sentence = problems[0]
        more = f" ({len(problems) - 1} more.)" if len(problems) > 1 else ""
        change = f"Correct what is named under problems; nothing was changed. {DOCS}"
        super().__init__(f"{field}: {sentence}{more}", problems, rule="request format", change=change)


def handle_error(raised: Exception, context: dict[str, Any]) -> Response | None:
    """Return the answer to an exception that a view raised; None for a fault of ours, which stays a 500."""
    error = portal_error_of(raised)
    if error is None:
        return None
    request = context["request"]
    response = Response(error_body(error, getattr(request._request, "request_id", "")), status=error.status)
    seconds = retry_after(error, now())
    if seconds is not None:
        response["Retry-After"] = str(seconds)
    if error.status == 401:
        response["WWW-Authenticate"] = "Bearer"
    return response


def portal_error_of(raised: Exception) -> PortalError | None:
    """Return an exception of Django or of the framework as one of the portal's errors."""
    if isinstance(raised, PortalError):
        return raised
    if isinstance(raised, exceptions.MethodNotAllowed):
        return MethodNotTaken("This address does not take this method.", change="The header Allow names what it takes.")
    if isinstance(raised, Http404 | exceptions.NotFound):
        return NotFound("There is nothing here.", change=DOCS)
    if isinstance(raised, exceptions.ValidationError):
        return WrongFields(problems_of(raised.detail))
    if isinstance(raised, RequestDataTooBig):
        return too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    if isinstance(raised, SuspiciousOperation):
        return InvalidInput("The request could not be read.", change=DOCS)
    return None


def problems_of(detail: Any, place: str = "") -> list[tuple[str, str]]:
    """Return the framework's nested error details as pairs of field and sentence."""
    if isinstance(detail, dict):
        return [pair for name, inner in detail.items() for pair in problems_of(inner, _join(place, name))]
    if isinstance(detail, list):
        return [pair for inner in detail for pair in problems_of(inner, place)]
    return [(place or "body", str(detail))]


def _join(place: str, name: Any) -> str:
    if name == "non_field_errors":
        return place
    return f"{place}.{name}" if place else str(name)


def too_large(limit: int) -> TooLarge:
    """Return the error for a body that is longer than the portal reads."""
    return TooLarge(f"The request is larger than {limit:,} bytes.", change="Send less at a time.")
