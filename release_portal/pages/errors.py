"""What an error looks like on a page."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.core.clock import now
from release_portal.core.error_body import retry_after
from release_portal.core.errors import NotAuthenticated, PortalError

# Interfaces with a shape of their own; everything else is a page.
MACHINE_PREFIXES = ("/v1/", "/api/")

TITLES = {
    400: "This could not be read",
    401: "Please sign in",
    403: "You may not do this",
    404: "There is nothing here",
    405: "This address does not take that",
    409: "Not now",
    413: "That is too large",
    429: "Too much for now",
    500: "Something broke on our side",
    503: "A part of the portal does not answer",
}


def is_for_people(request: HttpRequest) -> bool:
    """Whether the answer to this request is a page."""
    return not request.path.startswith(MACHINE_PREFIXES)


def error_page(request: HttpRequest, error: PortalError) -> HttpResponse:
    """Return the page for an error, in the shape of the interface that was asked."""
    if not is_for_people(request):
        from release_portal.pages.machine_errors import machine_error

        return machine_error(request, error)
    next_url, next_label = _next_step(request, error)
    response = render(
        request,
        "errors/error.html",
        {
            "status": error.status,
            "title": _(TITLES.get(error.status, "Error")),
            "reason": error.reason,
            "rule": error.rule,
            "change": error.change,
            "retry_at": error.retry_at,
            "at": now(),
            "next_url": next_url,
            "next_label": next_label,
        },
        status=error.status,
    )
    return with_retry(response, error, now())


def with_retry(response: HttpResponse, error: PortalError, at: datetime) -> HttpResponse:
    """Say in the header when it is worth trying again, where that is known."""
    seconds = retry_after(error, at)
    if seconds is not None:
        response["Retry-After"] = str(seconds)
    return response


def _next_step(request: HttpRequest, error: PortalError) -> tuple[str, str]:
    if isinstance(error, NotAuthenticated) or error.code == "sign_in":
        return f"{reverse('account_login')}?next={quote(request.get_full_path())}", _("Sign in")
    return reverse("catalogue"), _("Go to the catalogue")


def django_error(status: int, reason: str, change: str):  # type: ignore[no-untyped-def]
    """Return a handler for an error that Django raises itself."""

    def handler(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
        error = PortalError(reason, change=change)
        error.status = status
        return error_page(request, error)

    return handler


bad_request = django_error(400, "The request could not be read.", "Go back and try again.")
permission_denied = django_error(403, "The request was not accepted.", "Go back, reload the page and try again.")
not_found = django_error(404, "There is nothing at this address.", "Check the address, or look in the catalogue.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Say what an expired form means."""
    error = PortalError(
        "The form has expired, or cookies are blocked. Nothing was changed.",
        change="Go back, reload the page and send the form again; what you wrote is kept in your browser.",
    )
    error.status = 403
    return error_page(request, error)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer for a fault of ours: the log has the cause under the request id."""
    if not is_for_people(request):
        error = PortalError("Something broke on our side.", change="Try again; tell an operator the request id.")
        return error_page(request, error)
    page = render_to_string("500.html", {"request_id": getattr(request, "request_id", "")})
    return HttpResponse(page, status=500)
