"""The comment window of a proposal: what is asked, what people said, what was answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from release_portal.access.lookups import proposal_for
from release_portal.core.actors import Actor
from release_portal.core.clock import now
from release_portal.core.declare import public, signed_in
from release_portal.core.errors import PortalError
from release_portal.core.http import PortalRequest
from release_portal.pages import showing
from release_portal.pages.forms.base import ServiceForm
from release_portal.pages.forms.consultation import CommentForm
from release_portal.pages.forms.proposals import AnswerForm, HideForm
from release_portal.pages.proposal_page import crumbs_of, head_of
from release_portal.pages.words_proposals import COMMANDS
from release_portal.releases.consultation_rules import comment_state, decide_comment, may_comment
from release_portal.releases.consultations import add_comment, answer_comment, hide_comment
from release_portal.releases.models import Comment, Proposal
from release_portal.releases.models.consultation import COMMENT, NOTICE

Bound = dict[str, ServiceForm]
FORMS: dict[str, type[ServiceForm]] = {"answer": AnswerForm, "hide": HideForm}


@public
@require_http_methods(["GET", "HEAD", "POST"])
def comments(request: PortalRequest, pk: int) -> HttpResponse:
    """Read the comments; whoever sees the size may add one while the window is open."""
    at, actor = now(), request.actor
    proposal = proposal_for(actor, pk, at=at)
    if request.method != "POST":
        return _page(request, proposal)
    form = _comment_form(actor, proposal, request.POST)
    try:
        written = add_comment(
            actor,
            proposal.pk,
            name=form.text("name"),
            text=form.text("text"),
            is_objection=form.ticked("is_objection"),
            at=at,
        )
    except PortalError as error:
        form.refuse(error)
        return _page(request, proposal, {"comment": form}, error.status)
    messages.success(request, _("Your comment stands here."))
    return showing.see_other(f"{_address(proposal)}#comment-{written.pk}")


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def answer(request: PortalRequest, pk: int, comment_id: int) -> HttpResponse:
    """Answer a comment."""

    def give(actor: Actor, proposal: Proposal, form: ServiceForm, at: datetime) -> object:
        return answer_comment(actor, proposal.pk, comment_id, answer=form.text("answer"), at=at)

    return _run(request, pk, "answer", comment_id, give)


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def hide(request: PortalRequest, pk: int, comment_id: int) -> HttpResponse:
    """Hide a comment; the reason stands in its place."""

    def give(actor: Actor, proposal: Proposal, form: ServiceForm, at: datetime) -> object:
        return hide_comment(actor, proposal.pk, comment_id, reason=form.text("reason"), at=at)

    return _run(request, pk, "hide", comment_id, give)


def _run(
    request: PortalRequest,
    pk: int,
    name: str,
    comment_id: int,
    give: Callable[[Actor, Proposal, ServiceForm, datetime], object],
) -> HttpResponse:
    at, actor = now(), request.actor
    proposal = proposal_for(actor, pk, at=at)
    if request.method != "POST":
        return showing.see_other(_address(proposal))
    form = FORMS[name](request.POST, auto_id=_auto_id(name, comment_id))
    try:
        give(actor, proposal, form, at)
    except PortalError as error:
        form.refuse(error)
        return _page(request, proposal, {f"{name}-{comment_id}": form}, error.status)
    messages.success(request, str(COMMANDS[f"{name}_comment"][2]))
    return showing.see_other(f"{_address(proposal)}#comment-{comment_id}")


def _auto_id(name: str, comment_id: int) -> str:
    return f"id_{name}_{comment_id}_%s"


def _address(proposal: Proposal) -> str:
    return reverse("comment-window", args=[proposal.pk])


def _comment_form(actor: Actor, proposal: Proposal, data: QueryDict | None = None) -> CommentForm:
    return CommentForm(data, asks_name=not actor.is_person, keep=f"comment-{proposal.pk}")


def _page(request: PortalRequest, proposal: Proposal, bound: Bound | None = None, status: int = 200) -> HttpResponse:
    at, actor, given = now(), request.actor, bound or {}
    windows = {window.kind: window for window in proposal.windows.all()}
    window = windows.get(COMMENT)
    is_open = window is not None and window.is_open(at)
    rows = list(window.comments.all()) if window else []
    shown = [_row(actor, proposal, one, given) for one in rows]
    context = {
        **head_of(proposal),
        "breadcrumbs": crumbs_of(proposal, _("Comments")),
        "window": window,
        "notice": windows.get(NOTICE),
        "is_open": is_open,
        "decision": may_comment(actor, is_open=is_open, recent=(), at=at),
        "form": given.get("comment") or _comment_form(actor, proposal),
        "rows": shown,
        "waiting": sum(1 for row in shown if row["is_waiting"]),
        "stray": _stray(given, shown),
    }
    return render(request, "proposals/comments.html", context, status=status)


def _stray(bound: Bound, rows: list[dict[str, Any]]) -> ServiceForm | None:
    """Return a form whose comment is not on the page, so that its error is shown all the same."""
    known = {f"{command['name']}-{row['comment'].pk}" for row in rows for command in row["commands"]}
    return next((form for key, form in bound.items() if key not in known and key != "comment"), None)


def _row(actor: Actor, proposal: Proposal, comment: Comment, bound: Bound) -> dict[str, Any]:
    state = comment_state(is_answered=comment.answered_at is not None, is_hidden=comment.hidden_at is not None)
    return {
        "comment": comment,
        "is_waiting": comment.is_objection and comment.answered_at is None and comment.hidden_at is None,
        "commands": [
            command for name in FORMS if (command := _command(actor, proposal, comment, name, state, bound)) is not None
        ],
    }


def _command(
    actor: Actor, proposal: Proposal, comment: Comment, name: str, state: str, bound: Bound
) -> dict[str, Any] | None:
    form = bound.get(f"{name}-{comment.pk}") or FORMS[name](auto_id=_auto_id(name, comment.pk))
    if not form.is_bound and not decide_comment(name, state, actor):
        return None
    url = reverse(f"comment-{name}", args=[proposal.pk, comment.pk])
    return {"name": name, "label": COMMANDS[f"{name}_comment"][0], "form": form, "url": url}
