"""The safety checklist of a proposal: answer it, sign it, see who said what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import proposal_for
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.evidence.checklist import ANSWERS, ITEMS, item_of, unanswered
from release_portal.evidence.lookups import checklist_diff, checklists_of, evidence_of, newest_checklist
from release_portal.evidence.models import ChecklistVersion, Evidence
from release_portal.pages import showing
from release_portal.pages.forms.checklists import ChecklistForm, first_values
from release_portal.pages.proposal_page import crumbs_of, head_of
from release_portal.releases.checklists import decide_signing, sign_checklist
from release_portal.releases.models import Proposal
from release_portal.releases.proposal_lookups import proposal_subject


@public
@require_http_methods(["GET", "HEAD", "POST"])
def checklist(request: PortalRequest, pk: int) -> HttpResponse:
    """Read the checklist; staff sign the next version of it."""
    at = now()
    proposal = proposal_for(request.actor, pk, at=at)
    if request.method != "POST":
        return _page(request, proposal)
    form = ChecklistForm(request.POST, evidence=_evidence(proposal))
    try:
        version = sign_checklist(request.actor, proposal.pk, form.answers(), expected_number=form.number(), at=at)
    except PortalError as error:
        newest = newest_checklist(proposal.size, proposal_subject(proposal))
        form.refuse(error, expected_number=newest.number if newest else 0)
        return _page(request, proposal, form, error.status)
    messages.success(request, _("Version %(n)d is signed.") % {"n": version.number})
    return showing.see_other(reverse("checklist", args=[proposal.pk]))


def _page(
    request: PortalRequest, proposal: Proposal, form: ChecklistForm | None = None, status: int = 200
) -> HttpResponse:
    versions = list(checklists_of(proposal.size, proposal_subject(proposal)))
    newest, before = (*versions[:2], None, None)[:2]
    answers = newest.answers if newest else {}
    missing = unanswered(answers)
    context = {
        **head_of(proposal),
        "breadcrumbs": crumbs_of(proposal, _("Safety checklist")),
        "form": form or ChecklistForm(initial=_initial(newest), evidence=_evidence(proposal)),
        "sign": decide_signing(request.actor, proposal),
        "rows": [_row(item.id, answers) for item in ITEMS],
        "missing": [item_of(number) for number in missing],
        "all": len(ITEMS),
        "newest": newest,
        "versions": versions,
        "changes": _changes(before, newest),
    }
    return render(request, "proposals/checklist.html", context, status=status)


def _initial(newest: ChecklistVersion | None) -> dict[str, Any]:
    return first_values(newest.answers, newest.number) if newest else first_values({}, 0)


def _evidence(proposal: Proposal) -> list[tuple[str, str]]:
    """Return the newest evidence of each criterion, as choices."""
    newest: dict[str, Evidence] = {}
    for one in evidence_of(proposal.size):
        newest.setdefault(one.criterion, one)
    return [(str(one.pk), f"{name}: {one.summary[:80]}") for name, one in sorted(newest.items())]


def _row(item_id: int, answers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"item": item_of(item_id), **_answer(answers.get(str(item_id)))}


def _answer(answer: Mapping[str, Any] | None) -> dict[str, Any]:
    given = answer or {}
    choice = given.get("answer", "")
    return {
        "answer": ANSWERS.get(choice, ""),
        "reason": given.get("reason", ""),
        "evidence": given.get("evidence", []),
    }


def _changes(before: ChecklistVersion | None, newest: ChecklistVersion | None) -> list[dict[str, Any]]:
    if before is None or newest is None:
        return []
    return [
        {"item": item_of(change.item), "old": _answer(change.old), "new": _answer(change.new)}
        for change in checklist_diff(before, newest)
    ]
