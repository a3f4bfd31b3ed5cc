"""For anyone: report misuse, and follow a report by its code. The code never stands in an address."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.misuse.filing import file_report, read_by_code, write_by_code
from release_portal.pages.errors import with_retry
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.misuse import CodeForm, MessageForm, ReportForm, sizes_to_name
from release_portal.pages.words_misuse import report_pill, waiting_word

READ_OR_SEND = require_http_methods(["GET", "HEAD", "POST"])


@public
@never_cache
@READ_OR_SEND
def report(request: PortalRequest) -> HttpResponse:
    """File a report; the answer shows its code this once."""
    at = now()
    sizes = sizes_to_name(request.actor, at)
    if request.method != "POST":
        return render(request, "misuse/report.html", {"form": ReportForm(sizes=sizes)})
    form = ReportForm(request.POST, sizes=sizes)
    try:
        filed, code = file_report(request.actor, form.filing(), address=request.META.get("REMOTE_ADDR", ""), at=at)
    except PortalError as error:
        return _refused(request, "misuse/report.html", form, error)
    return render(request, "misuse/filed.html", {"code": code, "due_at": filed.due_at}, status=201)


@public
@never_cache
@READ_OR_SEND
def status(request: PortalRequest) -> HttpResponse:
    """Ask for the code, then show where the report stands."""
    if request.method != "POST":
        return render(request, "misuse/code.html", {"form": CodeForm()})
    form = CodeForm(request.POST)
    return _status_page(request, form.text("code"))


@public
@never_cache
@READ_OR_SEND
def message(request: PortalRequest) -> HttpResponse:
    """Write to the desk; the report's page comes back."""
    if request.method != "POST":
        return render(request, "misuse/code.html", {"form": CodeForm()})
    form = MessageForm(request.POST)
    try:
        write_by_code(form.text("code"), form.text("message"), at=now())
    except PortalError as error:
        form.refuse(error)
        return _status_page(request, form.text("code"), form, error)
    return _status_page(request, form.text("code"), is_sent=True)


def _status_page(
    request: PortalRequest,
    code: str,
    form: ServiceForm | None = None,
    error: PortalError | None = None,
    *,
    is_sent: bool = False,
) -> HttpResponse:
    try:
        shown = read_by_code(code)
    except PortalError as unknown:
        return _refused(request, "misuse/code.html", CodeForm(request.POST), unknown)
    context: dict[str, Any] = {
        "report": shown,
        "state": report_pill(shown.state),
        "waiting": waiting_word(shown.state),
        "form": form or MessageForm(initial={"code": code}),
        "is_sent": is_sent,
    }
    return _with_retry(render(request, "misuse/status.html", context, status=error.status if error else 200), error)


def _refused(request: PortalRequest, template: str, form: ServiceForm, error: PortalError) -> HttpResponse:
    form.refuse(error)
    return _with_retry(render(request, template, {"form": form}, status=error.status), error)


def _with_retry(response: HttpResponse, error: PortalError | None) -> HttpResponse:
    return response if error is None else with_retry(response, error, now())
