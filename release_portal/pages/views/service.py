"""The operators' page: what waits, which workers live, how fast answers come."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.http import PortalRequest
from release_portal.jobs.service_state import ServiceState, service_state
from release_portal.pages.words import FINISHES


@roles("operator")
def service(request: PortalRequest) -> HttpResponse:
    """How the service runs now; the page reads itself again every few seconds."""
    state = service_state(at=now())
    return render(request, "service/service.html", {"state": state, "facts": _facts(state), "ended": _ended(state)})


def _facts(state: ServiceState) -> list[tuple[Any, ...]]:
    room, most = _("of %(room)s that may") % {"room": f"{state.room:,}"}, _span(state.wait_p95)
    return [
        (_("Running or waiting"), f"{state.unfinished:,}", room),
        (_("Not taken by a worker yet"), f"{state.queued:,}"),
        (_("Tokens a second"), f"{state.tokens_per_second:.1f}", _("of what ended in the last five minutes")),
        (_("Until the work began"), _span(state.wait_median), _("95 of 100 within %(span)s") % {"span": most}),
    ]


def _span(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.2f} s"


def _ended(state: ServiceState) -> list[tuple[Any, int]]:
    return [(FINISHES.get(reason, reason.replace("_", " ")), count) for reason, count in state.ended]
