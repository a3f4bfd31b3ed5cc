"""Detection: ask about a text, and read the report."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import decisions_for, purposes_held, sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import signed_in
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.detection.gltr import RankCounts
from release_portal.detection.layers import CANNOT_SAY, NOTICE, evidence_layers, percent, record_layer
from release_portal.detection.limits import ADVISED_TOKENS
from release_portal.detection.lookups import report_for, reports_for
from release_portal.detection.marking import passages, shown_tokens
from release_portal.detection.models import FAILED, SCORED, WAITING, DetectionReport
from release_portal.detection.services import detect
from release_portal.pages import showing
from release_portal.pages.errors import with_retry
from release_portal.pages.forms.detection import DetectionForm
from release_portal.pages.forms.playground import fresh_key
from release_portal.pages.paging import page_of
from release_portal.provenance.matching import Strength
from release_portal.registry.models import ModelSize

TEXT_SHOWN = 90
STATES = {
    WAITING: {"label": gettext_lazy("in progress"), "tone": "info"},
    SCORED: {"label": gettext_lazy("done"), "tone": "good"},
    FAILED: {"label": gettext_lazy("failed"), "tone": "bad"},
}
STRENGTHS = {
    Strength.EXACT: gettext_lazy("exact"),
    Strength.NEAR: gettext_lazy("near"),
    Strength.NONE: gettext_lazy("none"),
    Strength.TOO_SHORT: gettext_lazy("too short"),
}
RANKS = (
    gettext_lazy("rank 1 to 10"),
    gettext_lazy("rank 11 to 100"),
    gettext_lazy("rank 101 to 1,000"),
    gettext_lazy("rank above 1,000"),
)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def detection(request: PortalRequest) -> HttpResponse:
    """Ask about a text, or say by which rule no size is open for it; below, the own reports."""
    at = now()
    sizes = sizes_for(request.actor, Action.DETECT, at=at)
    if request.method == "POST":
        return _submit(request, sizes, at)
    purposes = purposes_held(request.actor, Action.DETECT, at=at)
    return _page(request, DetectionForm(initial=_initial(request), sizes=sizes, purposes=purposes), sizes, at)


def _initial(request: PortalRequest) -> dict[str, str]:
    """An empty form, one for the size that the address names, or one filled from an own report."""
    initial = {"submit_key": fresh_key(), "size": request.GET.get("size", "")[:96]}
    earlier = reports_for(request.actor).filter(pk=_asked(request)).first()
    return initial | {"text": earlier.text, "size": earlier.size.slug} if earlier else initial


def _asked(request: PortalRequest) -> str:
    return request.GET.get("from", "").replace("\x00", "")[:40]


def _submit(request: PortalRequest, sizes: QuerySet[ModelSize], at: datetime) -> HttpResponse:
    form = DetectionForm(request.POST, sizes=sizes, purposes=purposes_held(request.actor, Action.DETECT, at=at))
    size, key = form.text("size").replace("\x00", "")[:96], form.text("submit_key").replace("\x00", "")[:60]
    try:
        purpose = form.text("purpose")[:3]
        made = detect(request.actor, size, form.text("text"), at=at, submit_key=key or None, purpose=purpose)
    except PortalError as error:
        form.refuse(error, submit_key=fresh_key())
        return with_retry(_page(request, form, sizes, at, error.status), error, at)
    return showing.see_other(reverse("detection-report", args=[made.pk]))


def _page(
    request: PortalRequest, form: DetectionForm, sizes: QuerySet[ModelSize], at: datetime, status: int = 200
) -> HttpResponse:
    is_open = bool(sizes)
    page = page_of(request, reports_for(request.actor))
    context = {
        "form": form,
        "shows_form": is_open or form.is_bound,
        "refusals": [] if is_open else _refusals(request.actor, at),
        "cannot_say": CANNOT_SAY,
        "page_obj": page,
        "rows": [_row(report) for report in page],
    }
    return render(request, "detection/detection.html", context, status=status)


def _refusals(actor: Actor, at: datetime) -> list[dict[str, Any]]:
    """Every size that the reader may see, with what the policy says about asking it."""
    return [
        {"label": size.name, "decision": decisions_for(actor, size, at=at)[Action.DETECT]}
        for size in sizes_for(actor, Action.VIEW, at=at)
    ]


def _row(report: DetectionReport) -> dict[str, Any]:
    line = " ".join(report.text[: TEXT_SHOWN * 2].split())
    return {
        "report": report,
        "start": f"{line[:TEXT_SHOWN]}…" if len(line) > TEXT_SHOWN else line,
        "state": STATES[report.state],
        "record": STRENGTHS[report.match.strength],
    }


@signed_in
def report(request: PortalRequest, report_id: str) -> HttpResponse:
    """One report: the layers of evidence, the record first."""
    found = report_for(request.actor, report_id)
    context = {
        **_result(found),
        "notice": NOTICE,
        "cannot_say": CANNOT_SAY,
        "breadcrumbs": [{"label": _("Detection"), "url": reverse("detection")}, {"label": found.pk}],
    }
    return render(request, "detection/report.html", context)


@signed_in
def result(request: PortalRequest, report_id: str) -> HttpResponse:
    """What the worker found, for the page that waits for it; 202 while it is not there."""
    found = report_for(request.actor, report_id)
    status = 202 if found.state == WAITING else 200
    return render(request, "detection/result.html", _result(found) | {"is_fragment": True}, status=status)


def _result(found: DetectionReport) -> dict[str, Any]:
    text, evidence = found.text, found.evidence
    size_name = found.size.name
    context: dict[str, Any] = {
        "report": found,
        "state": STATES[found.state],
        "record": record_layer(found.match),
        "passages": passages(text, found.match.spans) if found.match.spans else [],
    }
    if evidence:
        context |= {
            "layers": evidence_layers(evidence, size_name),
            "tokens": shown_tokens(text, found.tokens),
            "ranks": _ranks(evidence.ranks),
            "facts": _facts(found),
            "is_short": evidence.scored < ADVISED_TOKENS,
            "advised": ADVISED_TOKENS,
        }
    return context


def _ranks(ranks: RankCounts) -> list[dict[str, Any]]:
    rows = zip(RANKS, ranks.counts, ranks.fractions, strict=True)
    return [
        {"number": number, "label": label, "count": count, "share": percent(part)}
        for number, (label, count, part) in enumerate(rows, start=1)
    ]


def _facts(found: DetectionReport) -> list[tuple[object, ...]]:
    """The numbers and what they were made with, as plain rows."""
    evidence = found.evidence
    assert evidence is not None  # asked for only where there is evidence
    missing = _("not computable")
    curvature = missing if evidence.curvature is None else f"{evidence.curvature:.3f}"
    versions = found.detectors
    return [
        (_("Curvature (Fast-DetectGPT)"), curvature, versions.get("curvature", "")),
        (_("Mean log-probability of a token"), f"{evidence.mean_logprob:.3f}", _("natural logarithm")),
        (_("Mean entropy of the next token"), f"{evidence.mean_entropy:.3f}", _("nats")),
        (_("Tokens scored"), f"{evidence.scored:,}", _("of %(n)s") % {"n": f"{evidence.tokens:,}"}),
        (_("Rank classes (GLTR)"), versions.get("ranks", "")),
        (_("Scored by"), found.size.name, found.job.weights_digest[:12]),
        (_("Charged"), _("%(n)s tokens") % {"n": f"{found.job.charged_tokens:,}"}),
    ]
