"""The record: every act, newest first, and the proof that none was changed."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from release_portal.accounts.roles import STAFF_ROLES
from release_portal.audit.events import CATALOGUE
from release_portal.audit.lookups import whole_record
from release_portal.audit.models import AuditEvent
from release_portal.audit.services import Verification, verify_chain
from release_portal.core.declare import roles
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.paging import filter_text, page_of

STAFF = sorted(STAFF_ROLES)


@roles(*STAFF)
def audit(request: PortalRequest) -> HttpResponse:
    """The record with its filters."""
    return _record_page(request)


@roles(*STAFF)
def verify(request: PortalRequest) -> HttpResponse:
    """Walk the chain and say whether it holds."""
    if request.method != "POST":
        return showing.see_other(reverse("audit"))
    return _record_page(request, verify_chain())


def _record_page(request: PortalRequest, verification: Verification | None = None) -> HttpResponse:
    filters = {name: filter_text(request, name) for name in ("kind", "actor", "subject")}
    page = page_of(request, _found(**filters))
    kinds = [(event.kind, event.label) for event in CATALOGUE.values()]
    context = {"page_obj": page, "filters": filters, "kinds": kinds, "verification": verification}
    return render(request, "audit/audit.html", context)


def _found(*, kind: str, actor: str, subject: str) -> QuerySet[AuditEvent]:
    events = whole_record()
    if kind:
        events = events.filter(kind=kind)
    if actor:
        events = events.filter(actor_name__icontains=actor)
    return events.filter(subject__icontains=subject) if subject else events
