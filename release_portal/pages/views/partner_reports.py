"""What partners report on a size, and what staff answer."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from release_portal.core.clock import now
from release_portal.core.declare import roles, signed_in
from release_portal.core.http import PortalRequest
from release_portal.moves.partner_reports import (
    ANSWERERS,
    answer_partner_report,
    deposit_partner_report,
    may_answer,
    may_deposit,
    partner_grant,
    report_for,
    reports_for,
)
from release_portal.pages import showing
from release_portal.pages.acting import Bound, carry_out, methods, visible_size
from release_portal.pages.forms import narrowing as forms
from release_portal.pages.forms.base import ServiceForm
from release_portal.registry.models import ModelSize


@signed_in
@methods
def partner_reports(request: PortalRequest, lab: str, name: str) -> HttpResponse:
    """Deposit a partner's report on a size; staff read and answer them."""
    size = visible_size(request, lab, name)
    if request.method != "POST":
        return _reports_page(request, size, {})
    form = forms.PartnerReportForm(request.POST)

    def act() -> Any:
        is_adverse = form.ticked("is_adverse")
        return deposit_partner_report(request.actor, size, report=form.text("report"), is_adverse=is_adverse, at=now())

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _reports_page(request, size, {"deposit": refused}, status)

    return carry_out(
        request, form, act, page, _("The report is deposited."), showing.address("size-partner-reports", size)
    )


@roles(*ANSWERERS)
@methods
def partner_report_answer(request: PortalRequest, pk: int) -> HttpResponse:
    """Answer what a partner reported."""
    size = report_for(request.actor, pk, at=now()).size
    url = showing.address("size-partner-reports", size)
    if request.method != "POST":
        return showing.see_other(url)
    form = forms.AnswerReportForm(request.POST, auto_id=f"id_answer_{pk}_%s")

    def page(refused: ServiceForm, status: int) -> HttpResponse:
        return _reports_page(request, size, {f"answer-{pk}": refused}, status)

    return carry_out(
        request,
        form,
        lambda: answer_partner_report(request.actor, pk, answer=form.text("answer"), at=now()),
        page,
        _("The answer is written down."),
        url,
    )


def _reports_page(request: PortalRequest, size: ModelSize, bound: Bound, status: int = 200) -> HttpResponse:
    at, actor = now(), request.actor
    context = {
        **showing.size_frame(actor, size, "size-partner-reports", at=at),
        "decision": may_deposit(actor, partner_grant(actor, size, at)),
        "form": bound.get("deposit") or forms.PartnerReportForm(),
        "rows": [
            {
                "report": one,
                "may_answer": may_answer(actor, is_answered=one.answered_at is not None),
                "form": bound.get(f"answer-{one.pk}") or forms.AnswerReportForm(auto_id=f"id_answer_{one.pk}_%s"),
            }
            for one in reports_for(actor, size)
        ],
    }
    return render(request, "narrowing/partner_reports.html", context, status=status)
