"""Applications as reviewers see them: the queue, one application, and the decision."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.application_lookups import application_to_review, applications_to_review
from release_portal.access.application_rules import (
    NEEDS_INFO,
    OPEN,
    REVIEWERS,
    decide_command,
    end_of,
    renewed_end,
)
from release_portal.access.applications import application_subject
from release_portal.access.lookups import grants_for
from release_portal.access.models import Application
from release_portal.access.refusals import REASONS
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import NotFound, PortalError, error_of
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.applying import row_of
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.reviews import ApproveForm, AskForm, RefuseForm, usual_conditions
from release_portal.pages.paging import page_of
from release_portal.pages.words import state_pill

COMMANDS = ("approve", "ask", "refuse")


@roles(*REVIEWERS)
def queue(request: PortalRequest) -> HttpResponse:
    """What waits for a decision, the oldest promise first."""
    at, found = now(), applications_to_review(request.actor)
    decided = page_of(request, found.exclude(state__in=OPEN).order_by("-saved_at", "pk"))
    context = {
        "waiting": [row_of(one, at) for one in found.waiting()],
        "resting": [row_of(one, at) for one in found.filter(state=NEEDS_INFO).order_by("due_at", "pk")],
        "page_obj": decided,
        "ended": [row_of(one, at) for one in decided],
    }
    return render(request, "applications/queue.html", context)


@roles(*REVIEWERS)
def review(request: PortalRequest, application_id: str) -> HttpResponse:
    """One application with all that bears on the decision."""
    return _review_page(request, application_to_review(request.actor, application_id))


@roles(*REVIEWERS)
def command(request: PortalRequest, application_id: str, name: str) -> HttpResponse:
    """Approve, refuse, or ask the applicant."""
    shown = application_to_review(request.actor, application_id)
    if name not in COMMANDS:
        raise NotFound("There is nothing here.", change="What can be done stands on the application's page.")
    address = reverse("review", args=[shown.pk])
    if request.method != "POST":
        return showing.see_other(address)
    form = _form(shown, name, request.POST)
    try:
        _carry_out(request.actor, shown, name, form)
    except PortalError as error:
        return _refused(request, shown, name, form, error)
    messages.success(request, _done(name))
    return showing.see_other(address if name == "ask" else reverse("review-queue"))


def _form(shown: Application, name: str, data: Any = None, **more: Any) -> ServiceForm:
    more["auto_id"] = f"id_{name}_%s"
    if name == "approve":
        return ApproveForm(data, application=shown, **more)
    return (AskForm if name == "ask" else RefuseForm)(data, **more)


def _carry_out(actor: Actor, shown: Application, name: str, form: ServiceForm) -> None:
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if isinstance(form, ApproveForm):
        approve_application(actor, shown.pk, form.conditions(), note=form.text("note"), **given)
    elif name == "ask":
        ask_applicant(actor, shown.pk, question=form.text("question"), **given)
    else:
        refuse_application(actor, shown.pk, code=form.text("code"), text=form.text("explanation"), **given)


def _done(name: str) -> str:
    return {
        "approve": _("The application is approved; the applicant holds the grant and is told."),
        "ask": _("The applicant is asked. The clock rests until the answer."),
        "refuse": _("The application is refused; the applicant reads the reason and what would change it."),
    }[name]


def _refused(
    request: PortalRequest, shown: Application, name: str, form: ServiceForm, error: PortalError
) -> HttpResponse:
    fresh = application_to_review(request.actor, shown.pk)
    decision = _decisions(request.actor, fresh)[name]
    if not decision:
        raise error_of(decision)
    form.refuse(error, expected_version=fresh.version)
    return _review_page(request, fresh, {name: form}, error.status)


def _decisions(actor: Actor, shown: Application) -> dict[str, Any]:
    applicant, stage = str(shown.applicant_id), shown.size.standing.stage
    return {name: decide_command(name, shown.state, actor, applicant, stage) for name in COMMANDS}


def _review_page(
    request: PortalRequest, shown: Application, bound: dict[str, ServiceForm] | None = None, status: int = 200
) -> HttpResponse:
    at, actor = now(), request.actor
    decisions = _decisions(actor, shown)
    others = applications_to_review(actor).filter(applicant_id=shown.applicant_id).exclude(pk=shown.pk)
    grants = grants_for(actor).filter(holder_id=shown.applicant_id)
    events = AuditEvent.objects.about(application_subject(shown)).order_by("-seq")
    context = {
        **row_of(shown, at),
        "forms": {name: _offered_form(shown, name, bound or {}) for name, decision in decisions.items() if decision},
        "closed": next((decision for decision in decisions.values() if not decision), None),
        "renewal_end": _renewal_end(shown, at),
        "refusal": REASONS.get(shown.decision_code),
        "others": [row_of(one, at) for one in others],
        "grants": [{"grant": one, "state": state_pill(one.state_at(at))} for one in grants],
        "history": [_event(event) for event in events],
        "breadcrumbs": [{"label": _("Applications to review"), "url": reverse("review-queue")}, {"label": shown.pk}],
    }
    return render(request, "applications/review.html", context, status=status)


def _offered_form(shown: Application, name: str, bound: dict[str, ServiceForm]) -> ServiceForm:
    initial = usual_conditions(shown) if name == "approve" else {"expected_version": shown.version}
    return bound.get(name) or _form(shown, name, initial=initial)


def _renewal_end(shown: Application, at: datetime) -> datetime | None:
    """When the renewed grant would end if the day that was asked for is approved."""
    if shown.renews is None or shown.requested_end is None or shown.submitted_at is None:
        return None
    if at >= shown.renews.ends_at:
        return end_of(shown.requested_end)
    return renewed_end(shown.renews.ends_at, end_of(shown.requested_end), shown.submitted_at)


def _event(event: AuditEvent) -> dict[str, Any]:
    label = event.label[:1].upper() + event.label[1:]
    return {"at": event.at, "title": label, "body": event.reason, "actor": event.actor_name, "verified": None}
