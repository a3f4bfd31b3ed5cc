"""One application as reviewers see it, and the decision."""

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
    OURS,
    PENDING_TERMS,
    REVIEWERS,
    SECOND_REVIEW,
    end_of,
    needs_two,
    renewed_end,
)
from release_portal.access.applications import application_subject
from release_portal.access.lookups import grants_for
from release_portal.access.models import Application
from release_portal.access.pausing import pauses_on
from release_portal.access.refusals import REASONS
from release_portal.access.review_desk import Desk, command_decision, desk_of, lease_on, risk_facing, step_of
from release_portal.access.review_notes import advise, claim_application
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.accounts.looks import note_look
from release_portal.audit.lookups import events_about
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.decisions import Decision
from release_portal.core.declare import roles
from release_portal.core.errors import NotFound, PortalError, error_of
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.application_form import checks_now, programme_facts
from release_portal.pages.applying import row_of
from release_portal.pages.attaching import files_shown
from release_portal.pages.attesting import attesters_to_review
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.questions import AskForm
from release_portal.pages.forms.reviews import (
    AdviseForm,
    ApproveForm,
    ClaimForm,
    RefuseForm,
    usual_conditions,
)
from release_portal.pages.grant_duties import holders_record
from release_portal.pages.reviewing import exchange_of, standing_of, voices_shown
from release_portal.pages.teams import reviewed
from release_portal.pages.words import state_pill

DECIDING = ("approve", "ask", "refuse")
COMMANDS = (*DECIDING, "claim", "advise")
FORMS: dict[str, type[ServiceForm]] = {
    "refuse": RefuseForm,
    "claim": ClaimForm,
    "advise": AdviseForm,
}


@roles(*REVIEWERS)
def review(request: PortalRequest, application_id: str) -> HttpResponse:
    """One application with all that bears on the decision."""
    return _review_page(request, application_to_review(request.actor, application_id))


@roles(*REVIEWERS)
def command(request: PortalRequest, application_id: str, name: str) -> HttpResponse:
    """Approve, refuse, ask the applicant, look at it for a while, or advise."""
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
    fresh = application_to_review(request.actor, shown.pk)
    messages.success(request, _done(name, fresh.state))
    return showing.see_other(reverse("review-queue") if name in ("approve", "refuse") else address)


def _form(shown: Application, name: str, data: Any = None, **more: Any) -> ServiceForm:
    more["auto_id"] = f"id_{name}_%s"
    if name == "approve":
        return ApproveForm(data, application=shown, **more)
    if name == "ask":
        return AskForm(data, application=shown, **more)
    return FORMS[name](data, **more)


def _carry_out(actor: Actor, shown: Application, name: str, form: ServiceForm) -> None:
    if name == "claim":
        claim_application(actor, shown.pk, reason=form.text("reason"), at=now())
        return
    if name == "advise":
        advise(actor, shown.pk, text=form.text("advice"), at=now())
        return
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if isinstance(form, ApproveForm):
        approve_application(actor, shown.pk, form.conditions(), note=form.text("note"), **given)
    elif isinstance(form, AskForm):
        ask_applicant(actor, shown.pk, question=form.text("question"), at_fields=form.questions(), **given)
    else:
        refuse_application(actor, shown.pk, code=form.text("code"), text=form.text("explanation"), **given)


def _done(name: str, state: str) -> str:
    if name in ("approve", "refuse") and state == SECOND_REVIEW:
        return _("Your review is kept. Another person must agree before it is decided.")
    if state == PENDING_TERMS:
        return _("The application is approved under terms; the applicant must accept them before anything is given.")
    return {
        "approve": _("The application is approved; the applicant holds the grant and is told."),
        "ask": _("The applicant is asked. The clock rests until the answer."),
        "refuse": _("The application is refused; the applicant reads the reason and what would change it."),
        "claim": _("You are looking at it for 30 minutes; the queue says so."),
        "advise": _("Your note is kept; those who review read it."),
    }[name]


def _refused(
    request: PortalRequest, shown: Application, name: str, form: ServiceForm, error: PortalError
) -> HttpResponse:
    fresh = application_to_review(request.actor, shown.pk)
    decision = _decisions(fresh, desk_of(request.actor), now())[name]
    if not decision and name != "claim":
        raise error_of(decision)
    form.refuse(error, expected_version=fresh.version)
    return _review_page(request, fresh, {name: form}, error.status)


def _decisions(shown: Application, desk: Desk, at: datetime) -> dict[str, Decision]:
    """Another's lease can be taken with a reason, so the form to claim is offered all the same."""
    return {name: command_decision(name, shown, desk, at, has_reason=name == "claim") for name in COMMANDS}


def _review_page(
    request: PortalRequest, shown: Application, bound: dict[str, ServiceForm] | None = None, status: int = 200
) -> HttpResponse:
    at, actor, desk = now(), request.actor, desk_of(request.actor)
    note_look(actor, shown.applicant, "application", application_subject(shown), at=at)
    decisions = _decisions(shown, desk, at)
    risk = risk_facing(shown, desk.largest_open, at)
    others = applications_to_review(actor).filter(applicant_id=shown.applicant_id).exclude(pk=shown.pk)
    grants = grants_for(actor).filter(holder_id=shown.applicant_id)
    pauses = pauses_on(grants, at)
    events = events_about(application_subject(shown))
    context = {
        **row_of(shown, at),
        **programme_facts(shown, actor.roles),
        "forms": {
            name: _offered_form(shown, name, bound or {}, at) for name, decision in decisions.items() if decision
        },
        "closed": next((decisions[name] for name in DECIDING if not decisions[name]), None),
        "files": files_shown(actor, shown),
        **checks_now(shown, at),
        "risk": risk,
        "team": reviewed(shown, at),
        "takes_two": needs_two(shown.state, risk.tier, step_of(shown, risk.tier).people),
        "expected": shown.assigned_name if shown.state in OURS else "",
        "lease": lease_on(shown, desk, at),
        "voices": voices_shown(shown, actor),
        "attesters": attesters_to_review(shown, at),
        "exchange": exchange_of(shown, actor),
        "standing": standing_of(shown, at),
        "advice": list(shown.advice.all()),
        "renewal_end": _renewal_end(shown, at),
        "refusal": REASONS.get(shown.decision_code),
        "others": [row_of(one, at) for one in others],
        "grants": [{"grant": one, "state": state_pill(one.state_at(at, pauses[one.pk]))} for one in grants],
        **holders_record(shown, at),
        "history": [_event(event) for event in events],
        "breadcrumbs": [{"label": _("Applications to review"), "url": reverse("review-queue")}, {"label": shown.pk}],
    }
    return render(request, "applications/review.html", context, status=status)


def _offered_form(shown: Application, name: str, bound: dict[str, ServiceForm], at: datetime) -> ServiceForm:
    initial = usual_conditions(shown, at) if name == "approve" else {"expected_version": shown.version}
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
