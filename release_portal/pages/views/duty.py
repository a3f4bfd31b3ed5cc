"""The duty roster: who can be reached and act, and whether enough of them for a move."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import sizes_for
from release_portal.access.policy import Action
from release_portal.accounts.duty import PLANNERS, add_shift, may_plan, on_duty, remove_shift, shifts_ahead
from release_portal.accounts.lookups import holders_of
from release_portal.accounts.roles import Role
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.duty import ShiftForm
from release_portal.pages.forms.times import written
from release_portal.releases.policy_services import policies_in_force

READERS = (*PLANNERS, Role.DUTY_OFFICER.value)


@roles(*READERS)
@require_http_methods(["GET", "HEAD", "POST"])
def roster(request: PortalRequest) -> HttpResponse:
    """Who is on duty now and next; planners add a shift."""
    at = now()
    if request.method != "POST":
        return _page(request)
    form = _form(at, request.POST)
    try:
        starts_at, ends_at = form.span()
        shift = add_shift(request.actor, form.officer(), starts_at=starts_at, ends_at=ends_at, at=at)
    except PortalError as error:
        form.refuse(error)
        return _page(request, form, status=error.status)
    messages.success(request, _("%(name)s is on the roster.") % {"name": shift.user.name})
    return showing.see_other(reverse("duty"))


@roles(*PLANNERS)
@require_http_methods(["GET", "HEAD", "POST"])
def remove(request: PortalRequest, pk: int) -> HttpResponse:
    """Take a shift off the roster; one that has begun ends now."""
    if request.method == "POST":
        remove_shift(request.actor, pk, at=now())
        messages.success(request, _("The shift is off the roster, or over now if it had begun."))
    return showing.see_other(reverse("duty"))


def _form(at: datetime, data: QueryDict | None = None) -> ShiftForm:
    officers = holders_of(Role.DUTY_OFFICER)
    return ShiftForm(data, initial={"starts_at": written(at)}, officers=officers)


def _page(request: PortalRequest, form: ShiftForm | None = None, status: int = 200) -> HttpResponse:
    at, actor = now(), request.actor
    sizes = list(sizes_for(actor, Action.VIEW, at=at))
    needed = max((policy.on_duty for policy in policies_in_force(sizes, at).values()), default=0)
    people = on_duty(at)
    context: dict[str, Any] = {
        "people": people,
        "present": len(people),
        "needed": needed,
        "is_enough": len(people) >= needed,
        "may_plan": may_plan(actor),
        "rows": [{"shift": shift, "is_running": shift.starts_at <= at} for shift in shifts_ahead(at)],
        "form": form or _form(at),
    }
    return render(request, "proposals/duty.html", context, status=status)
