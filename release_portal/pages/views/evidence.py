"""The evidence of a size: what is attached, by whom, how it is judged; attach, review, measure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import size_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import public, roles
from release_portal.core.errors import NotFound, PortalError
from release_portal.core.http import PortalRequest
from release_portal.evidence.digests import number_text
from release_portal.evidence.facts import ACCEPTED
from release_portal.evidence.kinds import KINDS
from release_portal.evidence.lookups import decide_attach, evidence_for, evidence_of
from release_portal.evidence.measurers import measurable
from release_portal.evidence.models import Evidence
from release_portal.evidence.rules import ATTACHERS, REVIEWERS, may_review
from release_portal.evidence.services import attach_evidence, measure_now, review_evidence
from release_portal.pages import showing
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.evidence import EvidenceForm, EvidenceReviewForm, first_values
from release_portal.pages.words import Word
from release_portal.pages.words_proposals import ASSURANCES, MEASURED_HERE, review_pill, role_word
from release_portal.registry.models import ModelSize
from release_portal.releases.gate_policy import EVIDENCE, Criterion
from release_portal.releases.policy_services import policies_in_force, policy_of
from release_portal.releases.proposal_lookups import open_proposal_on

Bound = dict[int, ServiceForm]
_COMPARED: dict[str, Word] = {
    "<=": gettext_lazy("at most"),
    ">=": gettext_lazy("at least"),
    "==": gettext_lazy("exactly"),
}


@public
def drawer(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Everything that is attached to a size, newest first for each criterion."""
    return _drawer(request, size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=now()).size)


def _drawer(request: PortalRequest, size: ModelSize, bound: Bound | None = None, status: int = 200) -> HttpResponse:
    at, actor = now(), request.actor
    by_criterion: dict[str, list[Evidence]] = {}
    for one in evidence_of(size):
        by_criterion.setdefault(one.criterion, []).append(one)
    known = _criteria(size, at)
    given = bound or {}
    attached = [_criterion_row(actor, size, name, by_criterion[name], known, given) for name in sorted(by_criterion)]
    context = {
        **showing.size_frame(actor, size, "evidence", at=at),
        "attached": attached,
        "missing": [_missing_row(actor, size, one) for one in known.values() if one.id not in by_criterion],
        "served": size.current_revision.digest if size.current_revision else "",
        "refused": next(iter(given.values()), None),
    }
    return render(request, "evidence/evidence.html", context, status=status)


def _criteria(size: ModelSize, at: datetime) -> dict[str, Criterion]:
    """Return every criterion that evidence answers: of the policy in force, and of the open proposal's."""
    proposal = open_proposal_on(size)
    in_force = policies_in_force([size], at).get(size.pk)
    policies = [*([in_force] if in_force else []), *([policy_of(proposal.policy)] if proposal else [])]
    return {one.id: one for policy in policies for one in policy.bank if one.source == EVIDENCE}


def _criterion_named(size: ModelSize, name: str, at: datetime) -> Criterion:
    wanted = _criteria(size, at).get(name)
    if wanted is None:
        raise NotFound("No policy asks for evidence under this name.", change="Choose a criterion from the list.")
    return wanted


def _criterion_row(
    actor: Actor, size: ModelSize, name: str, rows: list[Evidence], known: dict[str, Criterion], bound: Bound
) -> dict[str, Any]:
    criterion = known.get(name)
    return {
        "id": name,
        "title": criterion.title if criterion else "",
        "newest": shown(rows[0]),
        "older": [shown(one) for one in rows[1:]],
        "review": _review(actor, size, rows[0], bound),
        **(_ways(actor, size, criterion) if criterion else {}),
    }


def _missing_row(actor: Actor, size: ModelSize, criterion: Criterion) -> dict[str, Any]:
    return {
        "criterion": criterion,
        "kind": KINDS[criterion.kind].label,
        "owner": role_word(criterion.owner),
        **_ways(actor, size, criterion),
    }


def _ways(actor: Actor, size: ModelSize, criterion: Criterion) -> dict[str, Any]:
    """Return how this reader can supply it."""
    may_attach = bool(decide_attach(actor))
    args = [size.lab_slug, size.size_slug, criterion.id]
    return {
        "attach_url": reverse("evidence-attach", args=args) if may_attach else "",
        "measure_url": reverse("evidence-measure", args=args) if may_attach and criterion.id in measurable() else "",
    }


def shown(one: Evidence) -> dict[str, Any]:
    """Return one piece of evidence as pages show it."""
    review = one.review
    return {
        "evidence": one,
        "value": number_text(one.value),
        "low": number_text(one.ci_low) if one.ci_low is not None else None,
        "high": number_text(one.ci_high) if one.ci_high is not None else None,
        "assurance": MEASURED_HERE if one.is_measured_here else ASSURANCES[one.assurance],
        "counts": one.is_measured_here or one.review_state == ACCEPTED,
        "review": review,
        "pill": None if one.is_measured_here else review_pill(one.review_state),
        "digests": [(label, value) for label, value in _digests(one) if value],
    }


def _digests(one: Evidence) -> list[tuple[str, str]]:
    return [
        (_("This evidence"), one.digest),
        (_("Weights"), one.subject_digest),
        (_("Program"), one.harness_digest),
        (_("Data set"), one.dataset_digest),
        (_("Document"), one.document_digest),
    ]


def _review(actor: Actor, size: ModelSize, one: Evidence, bound: Bound) -> dict[str, Any] | None:
    """Return the form that judges it, or why this reader cannot; None where it concerns only others."""
    decision = may_review(actor, one.signer_id)
    has_reviewed = any(review.reviewer_id == actor.id for review in one.reviews.all())
    form = bound.get(one.pk) or EvidenceReviewForm(auto_id=_auto_id(one.pk))
    if not form.is_bound and (decision.code in ("role", "token") or has_reviewed or one.is_measured_here):
        return None
    args = [size.lab_slug, size.size_slug, one.pk]
    return {"decision": decision, "form": form, "url": reverse("evidence-review", args=args)}


def _auto_id(pk: int) -> str:
    return f"id_review_{pk}_%s"


@roles(*sorted(ATTACHERS))
@require_http_methods(["GET", "HEAD", "POST"])
def attach(request: PortalRequest, lab: str, name: str, criterion: str) -> HttpResponse:
    """Sign evidence for one criterion; it supersedes what is there."""
    at = now()
    size = size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=at).size
    wanted = _criterion_named(size, criterion, at)
    newest = evidence_of(size, criterion).first()
    if request.method != "POST":
        served = size.current_revision.digest if size.current_revision else ""
        initial = first_values(wanted, served, newest.pk if newest else 0, at)
        return _attach_page(request, size, wanted, EvidenceForm(criterion=wanted, initial=initial))
    form = EvidenceForm(request.POST, criterion=wanted)
    try:
        attach_evidence(request.actor, size, form.draft(), expected_newest=form.newest(), at=at)
    except PortalError as error:
        newest = evidence_of(size, criterion).first()
        form.refuse(error, expected_newest=newest.pk if newest else 0)
        return _attach_page(request, size, wanted, form, error.status)
    messages.success(
        request, _("Your evidence for %(name)s is attached; somebody else reviews it.") % {"name": wanted.id}
    )
    return showing.see_other(showing.address("evidence", size) + f"#criterion-{wanted.id}")


def _attach_page(
    request: PortalRequest, size: ModelSize, criterion: Criterion, form: EvidenceForm, status: int = 200
) -> HttpResponse:
    newest = evidence_of(size, criterion.id).first()
    context = {
        **showing.size_frame(request.actor, size, "evidence", at=now()),
        "criterion": criterion,
        "kind": KINDS[criterion.kind].label,
        "owner": role_word(criterion.owner),
        "needs": _needs(criterion),
        "newest": shown(newest) if newest else None,
        "form": form,
        **_ways(request.actor, size, criterion),
    }
    return render(request, "evidence/attach.html", context, status=status)


def _needs(criterion: Criterion) -> list[tuple[str, str]]:
    """Say what the gate asks of it."""
    ends = {"lower": _("the lower end of the interval"), "upper": _("the upper end of the interval")}
    what = ends.get(criterion.ci_side, _("the value"))
    threshold = number_text(criterion.threshold) if criterion.threshold is not None else ""
    compared = f"{what}: {_COMPARED[criterion.comparator]} {threshold} {criterion.unit}" if criterion.comparator else ""
    days = criterion.max_age.days if criterion.max_age else 0
    rows = [
        (_("Needed"), compared),
        (_("At least"), _("%(n)d measurements") % {"n": criterion.min_n} if criterion.min_n else ""),
        (_("Not older than"), _("%(n)d days") % {"n": days} if days else ""),
        (_("Weights"), _("exactly those that are served") if criterion.needs_subject else ""),
        (_("The whole set"), ", ".join(criterion.items)),
    ]
    return [(term, value) for term, value in rows if value]


@roles(*sorted(ATTACHERS))
@require_http_methods(["GET", "HEAD", "POST"])
def measure(request: PortalRequest, lab: str, name: str, criterion: str) -> HttpResponse:
    """Have the portal measure a criterion by itself."""
    at = now()
    size = size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=at).size
    address = showing.address("evidence", size)
    _criterion_named(size, criterion, at)
    if request.method != "POST":
        return showing.see_other(address)
    measured = measure_now(request.actor, size, criterion, at=at)
    messages.success(request, _("Measured by this portal: %(summary)s") % {"summary": measured.summary})
    return showing.see_other(f"{address}#criterion-{measured.criterion}")


@roles(*REVIEWERS)
@require_http_methods(["GET", "HEAD", "POST"])
def review(request: PortalRequest, lab: str, name: str, pk: int) -> HttpResponse:
    """Accept or reject evidence that somebody else signed."""
    at = now()
    size = size_for(request.actor, f"{lab}/{name}", Action.VIEW, at=at).size
    address = showing.address("evidence", size)
    if request.method != "POST":
        return showing.see_other(address)
    found = evidence_for(request.actor, size, pk)
    form = EvidenceReviewForm(request.POST, auto_id=_auto_id(pk))
    try:
        review_evidence(request.actor, size, pk, form.text("verdict"), reason=form.text("reason"), at=at)
    except PortalError as error:
        form.refuse(error)
        return _drawer(request, size, {pk: form}, error.status)
    messages.success(request, _("Your review of the evidence for %(name)s is recorded.") % {"name": found.criterion})
    return showing.see_other(f"{address}#criterion-{found.criterion}")
