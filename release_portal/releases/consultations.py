"""Open comment windows and notices to other labs; comment, answer, hide."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotFound
from release_portal.releases.consultation_rules import (
    HOUR,
    LONGEST_COMMENT,
    LONGEST_TEXT,
    comment_state,
    decide_comment,
    may_comment,
    may_open_window,
    name_problem,
    text_problem,
    window_problem,
)
from release_portal.releases.models import Comment, CommentWindow, Proposal
from release_portal.releases.models.consultation import COMMENT, NOTICE
from release_portal.releases.policy_services import policy_of
from release_portal.releases.preparation import check, check_input, locked_proposal, named, needed_text, subject_of
from release_portal.releases.preparation_rules import instant, may_always, may_go_on, may_prepare, written

_WINDOWS = {COMMENT: "public comments", NOTICE: "notice to other labs"}


@transaction.atomic
def open_window(
    actor: Actor, proposal_id: int, *, kind: str, text: str, closes_at: datetime, at: datetime
) -> CommentWindow:
    """Ask the public for comments, or state which other labs have been told, until a certain time.

    Raises:
        NotAllowed, NotNow: the rule says no; or the proposal has a window of this kind.
        InvalidInput: unknown kind, no text, or a shorter time than the policy asks for, which is named.
    """
    proposal = locked_proposal(proposal_id, may_prepare, "window: open")
    if kind not in (COMMENT, NOTICE):
        raise InvalidInput(f"{kind!r} is no kind of window.", field="kind", change=f"Choose {COMMENT} or {NOTICE}.")
    check(may_open_window(actor, [window.kind for window in proposal.windows.all()], kind))
    check_input("text", text_problem(text, LONGEST_TEXT), "Write what is asked, or who was told.")
    policy = policy_of(proposal.policy)
    shortest = policy.comment_window if kind == COMMENT else policy.notice_period
    check_input("closes_at", window_problem(closes_at, at, shortest))
    window = CommentWindow.objects.create(
        proposal=proposal,
        kind=kind,
        text=text.strip(),
        opened_by=actor.name,
        opened_at=at,
        closes_at=instant(closes_at),
    )
    words = f"{_WINDOWS[kind]}, until {written(closes_at)}"  # the text itself stands on the proposal's page
    data = named(proposal, window=window.pk, kind=kind, closes_at=window.closes_at.isoformat())
    record("window.opened", actor=actor, subject=subject_of(proposal), at=at, reason=words, data=data)
    return window


@transaction.atomic
def add_comment(actor: Actor, proposal_id: int, *, name: str, text: str, is_objection: bool, at: datetime) -> Comment:
    """Write a comment while the window is open; who signed in comments under the account's name.

    Args:
        name: under which a visitor who is not signed in comments.
        is_objection: whether the gate waits for an answer to it.

    Raises:
        NotNow: no comment window is open.
        TooMuch: too many comments in the last hour; `retry_at` says when one is taken again.
        InvalidInput: no name, or a text that is empty or too long.
    """
    proposal = locked_proposal(proposal_id, may_go_on, "comment: add")
    window = proposal.windows.filter(kind=COMMENT).first()
    is_open = window is not None and window.is_open(at)
    check(may_comment(actor, is_open=is_open, recent=_recent(actor, proposal, at), at=at))
    assert window is not None
    if not actor.is_person:
        check_input("name", name_problem(name))
    check_input("text", text_problem(text, LONGEST_COMMENT))
    comment = Comment.objects.create(
        window=window,
        author_id=actor.id,
        author=actor.name if actor.is_person else name.strip(),
        is_objection=is_objection,
        text=text.strip(),
        at=at,
    )
    data = named(proposal, comment=comment.pk, is_objection=is_objection)
    record("comment.added", actor=actor, subject=subject_of(proposal), at=at, data=data)
    return comment


def _recent(actor: Actor, proposal: Proposal, at: datetime) -> list[datetime]:
    """The account's comments anywhere; or, of visitors, all that were written on this proposal."""
    comments = Comment.objects.filter(at__gt=at - HOUR)
    if actor.is_person:
        comments = comments.filter(author_id=actor.id)
    else:
        comments = comments.filter(author_id="", window__proposal=proposal)
    return list(comments.values_list("at", flat=True))


@transaction.atomic
def answer_comment(actor: Actor, proposal_id: int, comment_id: int, *, answer: str, at: datetime) -> Comment:
    """Answer a comment; an objection that is answered no longer keeps the gate shut.

    Raises:
        NotAllowed, NotNow: the rule says no; or it is answered or hidden already.
        InvalidInput: an answer that is empty or too long.
    """
    proposal = locked_proposal(proposal_id, may_go_on, "comment: answer")
    comment = _comment(proposal, comment_id)
    check(decide_comment("answer", _state(comment), actor))
    check_input("answer", text_problem(answer, LONGEST_COMMENT))
    comment.answer, comment.answered_by, comment.answered_at = answer.strip(), actor.name, at
    comment.save(update_fields=["answer", "answered_by", "answered_at"])
    data = named(proposal, comment=comment.pk)
    record("comment.answered", actor=actor, subject=subject_of(proposal), at=at, reason=comment.answer, data=data)
    return comment


@transaction.atomic
def hide_comment(actor: Actor, proposal_id: int, comment_id: int, *, reason: str, at: datetime) -> Comment:
    """Hide a comment from everybody; it is kept, and its place shows the reason.

    Raises:
        NotAllowed, NotNow: the rule says no; or it is hidden already.
        InvalidInput: no reason.
    """
    proposal = locked_proposal(proposal_id, may_always, "comment: hide")
    comment = _comment(proposal, comment_id)
    check(decide_comment("hide", _state(comment), actor))
    reason = needed_text("reason", reason, "Write why; everybody reads it in place of the comment.")
    comment.hidden_at, comment.hidden_by, comment.hidden_reason = at, actor.name, reason
    comment.save(update_fields=["hidden_at", "hidden_by", "hidden_reason"])
    data = named(proposal, comment=comment.pk)
    record("comment.hidden", actor=actor, subject=subject_of(proposal), at=at, reason=reason, data=data)
    return comment


def _comment(proposal: Proposal, comment_id: int) -> Comment:
    comment = Comment.objects.filter(pk=comment_id, window__proposal=proposal).first()
    if comment is None:
        raise NotFound("There is no such comment.", change="The proposal's page lists its comments.")
    return comment


def _state(comment: Comment) -> str:
    return comment_state(is_answered=comment.answered_at is not None, is_hidden=comment.hidden_at is not None)
