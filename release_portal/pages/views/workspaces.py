"""The workspace of an external reviewer: terms first, then the case, the report, and only then the votes."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import proposal_for
from release_portal.accounts.roles import Role
from release_portal.core.clock import now
from release_portal.core.declare import roles
from release_portal.core.errors import NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.consultation import AcceptForm, ReportForm
from release_portal.pages.proposal_page import Case, context_of, crumbs_of
from release_portal.pages.words_proposals import FINDINGS
from release_portal.releases.consultation_rules import decide_review
from release_portal.releases.external_reviews import accept_terms, deposit_review, review_of, state_of
from release_portal.releases.models import ExternalReview, Proposal

Bound = dict[str, ServiceForm]
REVIEWER = Role.EXTERNAL_REVIEWER.value


@roles(REVIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def workspace(request: PortalRequest, pk: int) -> HttpResponse:
    """Everything that an external reviewer needs, and the form that deposits the report."""
    at, actor = now(), request.actor
    proposal, own = _own(request, pk)
    if request.method != "POST":
        return _page(request, proposal, own)
    form = _report_form(own, request.POST)
    try:
        deposit_review(
            actor,
            proposal.pk,
            report=form.text("report"),
            finding=form.text("finding"),
            expected_version=form.version(),
            at=at,
        )
    except PortalError as error:
        own.refresh_from_db()
        form.refuse(error, expected_version=own.version)
        return _page(request, proposal, own, {"report": form}, error.status)
    messages.success(request, _("Your report is deposited. The votes are open to you now."))
    return showing.see_other(reverse("workspace", args=[proposal.pk]))


@roles(REVIEWER)
@require_http_methods(["GET", "HEAD", "POST"])
def accept(request: PortalRequest, pk: int) -> HttpResponse:
    """Accept the terms of one's own review."""
    proposal, own = _own(request, pk)
    address = reverse("workspace", args=[proposal.pk])
    if request.method != "POST":
        return showing.see_other(address)
    try:
        accept_terms(request.actor, proposal.pk, at=now())
    except PortalError as error:
        form = AcceptForm(request.POST)
        form.refuse(error)
        return _page(request, proposal, own, {"accept": form}, error.status)
    messages.success(request, _("The terms are accepted; the case is open to you."))
    return showing.see_other(address)


def _own(request: PortalRequest, pk: int) -> tuple[Proposal, ExternalReview]:
    proposal = proposal_for(request.actor, pk, at=now())
    own = review_of(request.actor, proposal)
    if own is None:
        raise NotFound("You were not invited to review this proposal.", change="A release manager invites reviewers.")
    return proposal, own


def _report_form(own: ExternalReview, data: QueryDict | None = None) -> ReportForm:
    return ReportForm(data, initial={"expected_version": own.version}, keep=f"review-{own.pk}")


def _page(
    request: PortalRequest, proposal: Proposal, own: ExternalReview, bound: Bound | None = None, status: int = 200
) -> HttpResponse:
    given = bound or {}
    case = Case(request.actor, proposal, now())
    context: dict[str, Any] = {
        **context_of(case),
        "breadcrumbs": crumbs_of(proposal, _("Your review")),
        "own": own,
        "finding": FINDINGS.get(own.finding, ""),
        "accepts": decide_review("accept", state_of(own), request.actor, own.reviewer_id),
        "deposits": decide_review("deposit", state_of(own), request.actor, own.reviewer_id),
        "accept_form": given.get("accept") or AcceptForm(),
        "report_form": given.get("report") or _report_form(own),
    }
    return render(request, "workspaces/workspace.html", context, status=status)
