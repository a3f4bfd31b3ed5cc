"""The decision record: what moved, under which rules, on what evidence, and who said what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models.functions import Coalesce
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import families_for, proposal_for, proposals_for
from release_portal.audit.lookups import public_events_about
from release_portal.core.clock import now
from release_portal.core.declare import public
from release_portal.core.http import PortalRequest
from release_portal.evidence.checklist import ITEMS, unanswered
from release_portal.evidence.lookups import checklists_of
from release_portal.pages import showing
from release_portal.pages.governance_words import answer_word, outcome_order, owner_word
from release_portal.pages.paging import filter_text, page_of
from release_portal.pages.words import ACTIONS, Word
from release_portal.pages.words_proposals import FINDINGS, WINDOWS, part_word, state_pill, verdict_pill
from release_portal.releases.models import CommentWindow, Lock, Proposal, Vote, Waiver
from release_portal.releases.proposal_lookups import proposal_subject, votes_visible_to
from release_portal.releases.proposal_rules import DECIDED
from release_portal.releases.services import size_subject

NOT_DIGESTS = ("results",)


@public
def decisions(request: PortalRequest) -> HttpResponse:
    """Every decided proposal about a size that the reader may see, newest first."""
    at = now()
    decided = proposals_for(request.actor, at=at).filter(state__in=DECIDED)
    families = families_for(request.actor, at=at)
    family = filter_text(request, "family")
    found = decided.filter(size__family__slug=family) if family else decided
    page = page_of(request, found.order_by(Coalesce("executed_at", "closed_at").desc(), "-pk"))
    context = {
        "page_obj": page,
        "rows": [{"proposal": one, "state": state_pill(one.state)} for one in page],
        "families": families.filter(sizes__proposals__in=decided).distinct(),
        "family": family,
    }
    return render(request, "governance/decisions.html", context)


@public
def decision(request: PortalRequest, pk: int) -> HttpResponse:
    """Everything that one decision rests on, for the screen and for paper."""
    at = now()
    proposal = proposal_for(request.actor, pk, at=at)
    lock = proposal.current_lock or proposal.locks.first()
    votes = votes_visible_to(request.actor, proposal)
    context = {
        "proposal": proposal,
        "size": proposal.size,
        "state": state_pill(proposal.state),
        "lock": lock,
        "earlier_locks": proposal.locks.exclude(pk=lock.pk) if lock else [],
        **_locked(proposal, lock),
        "votes_decision": votes,
        **_votes(lock, is_shown=votes.allowed),
        "waivers": [_waiver(one) for one in proposal.waivers.prefetch_related("votes")],
        "windows": [_window(one) for one in proposal.windows.prefetch_related("comments")],
        "reviews": [_review(one, is_shown=votes.allowed) for one in proposal.external_reviews.all()],
        "history": _history(proposal),
        "breadcrumbs": _crumbs(proposal),
    }
    return render(request, "governance/decision.html", context)


def _crumbs(proposal: Proposal) -> list[dict[str, str]]:
    return [
        {"label": _("Decisions"), "url": reverse("decisions")},
        {"label": proposal.size.name, "url": showing.address("size", proposal.size)},
        {"label": _("Decision %(n)s") % {"n": proposal.pk}, "url": ""},
    ]


# --- What was locked -------------------------------------------------------------------------------------------------


def _locked(proposal: Proposal, lock: Lock | None) -> dict[str, Any]:
    material = lock.material if lock else {}
    return {
        "parts": [
            {"label": part_word(name), "digest": value} for name, value in material.items() if name not in NOT_DIGESTS
        ],
        "results": [_result(proposal, one) for one in sorted(lock.results if lock else [], key=_by_outcome)],
        "effects": _effects(lock.preview if lock else {}),
        **_checklist(proposal, str(material.get("checklist", ""))),
    }


def _by_outcome(result: Mapping[str, Any]) -> tuple[int, str]:
    return outcome_order(result["outcome"]), result["criterion"]


def _result(proposal: Proposal, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result as it was locked, with the way to its evidence."""
    size = proposal.size
    drawer = reverse("evidence", args=[size.lab_slug, size.size_slug])
    return {**result, "url": f"{drawer}#criterion-{result['criterion']}" if result["evidence"] else ""}


def _effects(preview: Mapping[str, Any]) -> dict[str, Any]:
    """Return the stored preview; who holds a grant is counted here and never named."""
    actions: dict[str, Any] = {str(action.value): word for action, word in ACTIONS.items()}
    return {
        "actions": [
            {
                "label": actions.get(line["action"], line["action"]),
                "gains": line["gains"]["accounts"],
                "gaining": [_class_word(one) for one in line["gains"]["classes"]],
                "loses": line["loses"]["accounts"],
                "losing": [_class_word(one) for one in line["loses"]["classes"]],
            }
            for line in preview.get("actions", [])
        ],
        "opened": preview.get("artefacts_opened", []),
        "closed": preview.get("artefacts_closed", []),
        "is_irreversible": preview.get("copies_cannot_be_recalled", False),
    }


def _class_word(name: str) -> Word:
    words = {"anonymous": _("visitors"), "signed_in": _("everyone signed in")}
    return words.get(name) or owner_word(name.removeprefix("role:"))


def _checklist(proposal: Proposal, digest: str) -> dict[str, Any]:
    """Return the checklist as it was locked, else the newest; every item, answered or not."""
    versions = list(checklists_of(proposal.size, proposal_subject(proposal)))
    version = next((one for one in versions if one.digest == digest), versions[0] if versions else None)
    answers = version.answers if version else {}
    return {
        "checklist": version,
        "unanswered": len(unanswered(answers)),
        "items": [_item(item, answers.get(str(item.id), {})) for item in ITEMS],
    }


def _item(item: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    answer = given.get("answer", "")
    return {"item": item, "is_answered": bool(answer), "answer": answer_word(answer), "reason": given.get("reason", "")}


# --- Who said what ---------------------------------------------------------------------------------------------------


def _votes(lock: Lock | None, *, is_shown: bool) -> dict[str, Any]:
    votes = list(lock.votes.standing().order_by("role", "at", "id")) if lock and is_shown else []
    rows = [_vote(vote) for vote in votes]
    return {"votes": rows, "dissent": [row for row in rows if row["is_dissent"]]}


def _vote(vote: Vote) -> dict[str, Any]:
    pill = verdict_pill(vote.verdict)
    return {"vote": vote, "role": owner_word(vote.role), "verdict": pill, "is_dissent": pill["tone"] == "bad"}


def _waiver(waiver: Waiver) -> dict[str, Any]:
    return {
        "waiver": waiver,
        "agreed": [f"{one.person} ({owner_word(one.role)})" for one in waiver.votes.all()],
    }


def _window(window: CommentWindow) -> dict[str, Any]:
    comments = list(window.comments.all())
    objections = [one for one in comments if one.is_objection]
    return {
        "window": window,
        "label": WINDOWS.get(window.kind, window.kind),
        "comments": len(comments),
        "objections": objections,
        "open": sum(1 for one in objections if one.answered_at is None and one.hidden_at is None),
        "hidden": sum(1 for one in comments if one.hidden_at is not None),
    }


def _review(review: Any, *, is_shown: bool) -> dict[str, Any]:
    """Terms are public from the first day; the report is, like the votes, once the proposal is decided."""
    report = review.report if is_shown and review.deposited_at else ""
    return {"review": review, "report": report, "finding": FINDINGS.get(review.finding, "") if report else ""}


def _history(proposal: Proposal) -> list[dict[str, Any]]:
    about = public_events_about([size_subject(proposal.size.slug)])
    events = about.filter(data__proposal=proposal.pk)
    return [showing.event_line(event) for event in events]
