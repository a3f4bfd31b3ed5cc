"""Applications as their applicants see them: apply, follow, answer, withdraw; and the agreement's text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from model_cards.render import render_markdown
from release_portal.access.activation import accept_terms
from release_portal.access.agreements.services import agreement_hashed, agreement_in_force
from release_portal.access.application_lookups import (
    apply_decision,
    grant_to_renew,
    last_application,
    open_application,
    own_application,
    own_applications,
    size_to_apply_for,
)
from release_portal.access.application_rules import (
    APPLICATION,
    DRAFT,
    Answers,
    functions_open,
    relations,
)
from release_portal.access.applications import (
    answer_questions,
    application_subject,
    lapses_at,
    save_application,
    submit_application,
    withdraw_application,
)
from release_portal.access.completeness import missing_from
from release_portal.access.models import AgreementVersion, Application
from release_portal.access.people.teams import Team
from release_portal.access.programmes.services import programme_in_force
from release_portal.access.refusals import REASONS
from release_portal.audit.lookups import events_about
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.appealing import appeals_of_application
from release_portal.pages.application_form import form_context, programme_facts
from release_portal.pages.applying import row_of
from release_portal.pages.attaching import files_shown
from release_portal.pages.attesting import attesters_of
from release_portal.pages.differences import changed_lines
from release_portal.pages.forms.applications import ApplyForm, WithdrawForm, initial_of
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.grant_duties import AcceptTermsForm
from release_portal.pages.forms.questions import AnswerForm
from release_portal.pages.paging import page_of
from release_portal.pages.reviewing import exchange_of, standing_of
from release_portal.pages.teams import summary_of_application
from release_portal.registry.models import ModelSize

AUTOSAVE = "autosave"
COMMANDS = ("accept_terms", "answer", "withdraw")


@signed_in
def applications(request: PortalRequest) -> HttpResponse:
    """What the reader applied for."""
    at = now()
    page = page_of(request, own_applications(request.actor))
    context = {"page_obj": page, "rows": [row_of(one, at) for one in page]}
    return render(request, "applications/applications.html", context)


# --- Apply -----------------------------------------------------------------------------------------------------------


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def apply(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Write an application, save it at any time, and send it when it is complete."""
    at, actor = now(), request.actor
    size = size_to_apply_for(actor, f"{lab}/{name}", at=at)
    agreement = agreement_in_force(at)
    if request.method == "POST":
        return _send(request, size, agreement, at)
    found = open_application(actor, size)
    if found is not None and found.state != DRAFT:
        return showing.see_other(reverse("application", args=[found.pk]))
    return _apply_page(request, size, agreement, _first_form(request, size, agreement, found, at), at)


def _apply_form(size: ModelSize, at: datetime, data: Any = None, **more: Any) -> ApplyForm:
    more |= {"functions": functions_open(size.standing.stage), "programme": programme_in_force(size, at)}
    return ApplyForm(data, keep=f"apply:{size.slug}", **more)


def _first_form(
    request: PortalRequest, size: ModelSize, agreement: AgreementVersion, draft: Application | None, at: datetime
) -> ApplyForm:
    """The draft as it was saved, or what was sent last time, or nothing."""
    source = draft or last_application(request.actor, size)
    initial = initial_of(source.answers() if source else Answers())
    if draft is None:
        initial["requested_end"] = ""  # a day that was right last time seldom is again
    renews = draft.renews_id if draft else _renews(request, size)
    fresh = {"expected_version": draft.version if draft else 0, "renews": renews or ""}
    return _apply_form(size, at, initial=initial | fresh | {"agreement_hash": agreement.sha256})


def _renews(request: PortalRequest, size: ModelSize) -> str:
    grant = grant_to_renew(request.actor, size, request.GET.get("renews", "")[:20].replace("\x00", ""))
    return grant.pk if grant else ""


def _send(request: PortalRequest, size: ModelSize, agreement: AgreementVersion, at: datetime) -> HttpResponse:
    actor, found = request.actor, open_application(request.actor, size)
    form = _apply_form(size, at, request.POST, saved=found.form_answers if found else {})
    try:
        given: dict[str, Any] = {"expected_version": form.version(), "renews": form.text("renews")[:20], "at": at}
        if request.POST.get("act") == "submit":
            sent = submit_application(actor, size.slug, form.answers(), agreement_hash=form.accepted(), **given)
            messages.success(request, _("Your application has arrived. You can follow it on this page."))
            return showing.see_other(reverse("application", args=[sent.pk]))
        saved = save_application(actor, size.slug, form.answers(), **given)
    except PortalError as error:
        return _refused(request, size, agreement, form, error, at)
    if request.POST.get("act") == AUTOSAVE:
        form.refresh(expected_version=saved.version)
        return _state(request, size, form, at)
    messages.success(request, _("Your draft is saved. Nobody else reads it until you send it."))
    return showing.see_other(showing.address("apply", size))


def _refused(
    request: PortalRequest,
    size: ModelSize,
    agreement: AgreementVersion,
    form: ApplyForm,
    error: PortalError,
    at: datetime,
) -> HttpResponse:
    if request.POST.get("act") == AUTOSAVE:
        return _state(request, size, form, at, problem=error)
    found = open_application(request.actor, size)
    version = found.version if found and found.state == DRAFT else 0
    seen = form.text("agreement_hash")
    form.refuse(error, expected_version=version, agreement_hash=agreement.sha256)
    if seen != agreement.sha256:
        form.forget("agreement")  # what was accepted is another text
    return _apply_page(request, size, agreement, form, at, seen=seen, status=error.status)


def _state(
    request: PortalRequest, size: ModelSize, form: ApplyForm, at: datetime, *, problem: PortalError | None = None
) -> HttpResponse:
    """Answer to autosaving: what is missing and which checks would fail; the text stays where it is being written."""
    context = {**_draft_context(request, size, form, at), "form": form, "problem": problem, "oob": problem is None}
    status = problem.status if problem else 200
    return render(request, "applications/draft_state.html", context | {"changed": form.shows_others}, status=status)


def _draft_context(request: PortalRequest, size: ModelSize, form: ApplyForm, at: datetime) -> dict[str, Any]:
    found = open_application(request.actor, size)
    draft = found if found and found.state == DRAFT else None
    return {
        **form_context(request.actor, size, form.programme, form.said(), draft, at),
        "draft": draft,
        "other": None if draft else found,
        "missing": missing_from(draft, at=at) if draft else [],
        "attesters": attesters_of(request.actor, draft, at) if draft else [],
    }


def _apply_page(
    request: PortalRequest,
    size: ModelSize,
    agreement: AgreementVersion,
    form: ApplyForm,
    at: datetime,
    *,
    seen: str = "",
    status: int = 200,
) -> HttpResponse:
    drafted = _draft_context(request, size, form, at)
    context: dict[str, Any] = {
        **showing.size_frame(request.actor, size, "apply", at=at),
        **drafted,
        "form": form,
        "agreement": agreement,
        "agreement_html": render_markdown(agreement.text),
        "changes": _changes(seen, agreement),
        "renews": grant_to_renew(request.actor, size, str(form["renews"].value() or "")[:20].replace("\x00", "")),
        "files": files_shown(request.actor, drafted["draft"]),
    }
    context["team"] = summary_of_application(request.actor, context["draft"], at) if context["draft"] else None
    return render(request, "applications/apply.html", context, status=status)


def _changes(seen: str, agreement: AgreementVersion) -> list[Any]:
    """What changed since the version that the form showed, if it was another one."""
    old = agreement_hashed(seen) if seen and seen != agreement.sha256 else None
    return changed_lines(old.text, agreement.text) if old else []


# --- Follow ----------------------------------------------------------------------------------------------------------


@signed_in
def application(request: PortalRequest, application_id: str) -> HttpResponse:
    """Where an application stands, whose turn it is, and until when."""
    return _application_page(request, own_application(request.actor, application_id))


@signed_in
def command(request: PortalRequest, application_id: str, name: str) -> HttpResponse:
    """Answer a question, or withdraw the application."""
    shown = own_application(request.actor, application_id)
    if name not in COMMANDS:
        raise NotFound("There is nothing here.", change="What can be done stands on the application's page.")
    address = reverse("application", args=[shown.pk])
    if request.method != "POST":
        return showing.see_other(address)
    form = _form(shown, name, request.POST)
    try:
        _carry_out(request.actor, shown, name, form)
    except PortalError as error:
        return _command_refused(request, shown, name, form, error)
    messages.success(request, _done(name))
    return showing.see_other(address)


def _form(shown: Application, name: str, data: Any = None, **more: Any) -> ServiceForm:
    more["auto_id"] = f"id_{name}_%s"
    if name == "answer":
        return AnswerForm(data, application=shown, **more)
    return AcceptTermsForm(data, **more) if name == "accept_terms" else WithdrawForm(data, **more)


def _carry_out(actor: Actor, shown: Application, name: str, form: ServiceForm) -> None:
    given: dict[str, Any] = {"expected_version": form.version(), "at": now()}
    if isinstance(form, AcceptTermsForm):
        accept_terms(actor, shown.pk, form.accepted(), **given)
    elif isinstance(form, AnswerForm):
        answer_questions(actor, shown.pk, replies=form.replies(), changes=form.changes(), **given)
    else:
        withdraw_application(actor, shown.pk, **given)


def _done(name: str) -> str:
    return {
        "accept_terms": _("You have accepted the terms, and the grant is yours."),
        "answer": _("Your answer has arrived. The clock of the decision goes on."),
        "withdraw": _("Your application is withdrawn. You may apply again at any time."),
    }[name]


def _command_refused(
    request: PortalRequest, shown: Application, name: str, form: ServiceForm, error: PortalError
) -> HttpResponse:
    fresh = own_application(request.actor, shown.pk)
    if name not in _offered(request.actor, fresh):
        raise error
    form.refuse(error, expected_version=fresh.version)
    return _application_page(request, fresh, {name: form}, error.status)


def _offered(actor: Actor, shown: Application) -> list[str]:
    who = relations(actor, str(shown.applicant_id))
    return [one.name for one in APPLICATION.available(shown.state, who)]


def _application_page(
    request: PortalRequest, shown: Application, bound: dict[str, ServiceForm] | None = None, status: int = 200
) -> HttpResponse:
    at, actor = now(), request.actor
    offered, offer = _offered(actor, shown), shown.offers.waiting().first()
    digest = offer.digest if offer else ""
    forms = {
        name: (bound or {}).get(name)
        or _form(shown, name, initial={"expected_version": shown.version, "digest": digest})
        for name in COMMANDS
        if name in offered
    }
    events, attesters = events_about(application_subject(shown)), attesters_of(actor, shown, at)
    context = {
        **row_of(shown, at),
        **programme_facts(shown),
        "forms": forms,
        "standing": standing_of(shown, at),
        "offer": offer,
        "files": files_shown(actor, shown),
        "exchange": exchange_of(shown, actor),
        "may_save": "save" in offered,
        "lapses_at": lapses_at(shown) if shown.state in APPLICATION.command("lapse").sources else None,
        "appeals": appeals_of_application(actor, shown, at),
        "team": summary_of_application(actor, shown, at) if shown.seats.exists() or Team(shown).wish() else None,
        "attesters": attesters,
        "is_unattested": any(row["why"] and not row["counts"] for row in attesters),
        "refusal": REASONS.get(shown.decision_code),
        "may_apply_again": not forms and bool(apply_decision(actor, shown.size)),
        "apply_again_url": showing.address("apply", shown.size),
        "history": [showing.event_line(event) for event in events],
        "breadcrumbs": [{"label": _("Applications"), "url": reverse("applications")}, {"label": shown.pk}],
    }
    return render(request, "applications/application.html", context, status=status)
