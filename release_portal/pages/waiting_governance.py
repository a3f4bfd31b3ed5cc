"""What waits for somebody around releases: votes, roll-backs, evidence, objections; as lines for the home page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import proposals_for, sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.evidence.models import Evidence
from release_portal.evidence.rules import may_review
from release_portal.pages import showing
from release_portal.releases.assessments import gate_of
from release_portal.releases.consultation_rules import comment_state, decide_comment
from release_portal.releases.models import Comment, ExternalReview, Narrowing, Proposal, Vote
from release_portal.releases.narrowing_rules import may_confirm
from release_portal.releases.proposal_lookups import has_deposited
from release_portal.releases.proposal_rules import IN_REVIEW, OPEN, decide_command
from release_portal.releases.vote_rules import APPROVE, APPROVE_IF, OBJECT, may_vote

MOST_OF_A_KIND = 5
LONGEST_TITLE = 140


@dataclass(frozen=True)
class Waiting:
    """One line: what to do, where, and until when."""

    kind: str
    title: str
    url: str
    until: datetime | None


def governance_waiting(actor: Actor, *, at: datetime) -> Iterator[Waiting]:
    """Yield what waits for the actor around releases."""
    yield from _narrowings(actor)
    yield from _proposals(actor, at)
    yield from _reports(actor)
    yield from _evidence(actor, at)
    yield from _votes_to_answer(actor, at)
    yield from _comments_to_answer(actor, at)


def _narrowings(actor: Actor) -> Iterator[Waiting]:
    for narrowing in Narrowing.objects.unconfirmed().select_related("size"):
        if may_confirm(actor, narrowing.facts()):
            url = showing.address("size-move", narrowing.size)
            title = _short(f"{narrowing.size.name}: {narrowing.reason}")
            yield Waiting(_("Roll-back to confirm"), title, url, narrowing.lapses_at)


def _proposals(actor: Actor, at: datetime) -> Iterator[Waiting]:
    in_review = proposals_for(actor, at=at).filter(state=IN_REVIEW).order_by("opened_at", "pk")
    waiting = [proposal for proposal in in_review if _has_place(actor, proposal)]
    for proposal in waiting[:MOST_OF_A_KIND]:
        yield Waiting(_("Proposal to vote on"), _title(proposal), reverse("proposal", args=[proposal.pk]), None)


def _has_place(actor: Actor, proposal: Proposal) -> bool:
    """Whether a vote of the actor, in any of their roles, would count now."""
    if not decide_command("vote", proposal.state, actor, proposal.opened_by_id):
        return False
    mine = Vote.objects.standing().filter(
        lock__proposal=proposal, lock__voided_at=None, person_id=actor.id, answered_at=None
    )
    needs, has_voted, deposited = gate_of(proposal).approvals, mine.exists(), has_deposited(actor, proposal)
    return any(
        may_vote(actor, role, APPROVE, needs=needs, has_voted=has_voted, has_deposited=deposited)
        for role in actor.roles
    )


def _title(proposal: Proposal) -> str:
    return _("%(name)s to %(stage)s") % {"name": proposal.size.name, "stage": proposal.to_stage.label}


def _reports(actor: Actor) -> Iterator[Waiting]:
    """Reports that the actor, as an external reviewer, was asked for and has not deposited."""
    asked = ExternalReview.objects.filter(reviewer_id=actor.id, deposited_at=None, proposal__state__in=OPEN)
    for review in asked.select_related("proposal__size")[:MOST_OF_A_KIND]:
        url = reverse("workspace", args=[review.proposal_id])
        yield Waiting(_("Report to deposit"), _title(review.proposal), url, review.due_at)


def _short(title: str) -> str:
    return shorten(title, LONGEST_TITLE, placeholder=" …")


def _evidence(actor: Actor, at: datetime) -> Iterator[Waiting]:
    """Evidence that people signed and nobody reviewed; what the portal measured needs no review."""
    if not may_review(actor, ""):
        return
    visible = sizes_for(actor, Action.VIEW, at=at).order_by().values("pk")
    unread = Evidence.objects.filter(size__in=visible, signer_kind="user", reviews=None, superseded_by=None)
    for one in unread.exclude(signer_id=actor.id).select_related("size").order_by("pk")[:MOST_OF_A_KIND]:
        title = _short(f"{one.size.name}, {one.criterion}: {one.summary}")
        url = f"{showing.address('evidence', one.size)}#criterion-{one.criterion}"
        yield Waiting(_("Evidence to review"), title, url, None)


def _votes_to_answer(actor: Actor, at: datetime) -> Iterator[Waiting]:
    waits = Q(verdict__in=[OBJECT, APPROVE_IF], answered_at=None, lock__voided_at=None)
    waits &= Q(lock__proposal__in=proposals_for(actor, at=at).filter(state=IN_REVIEW).order_by().values("pk"))
    votes = Vote.objects.standing().filter(waits).select_related("lock__proposal__size").order_by("at", "id")
    for vote in votes[:MOST_OF_A_KIND]:
        proposal = vote.lock.proposal
        if decide_command("answer", proposal.state, actor, proposal.opened_by_id):
            title = _short(f"{_title(proposal)}: {vote.reason}")
            yield Waiting(_("Objection to answer"), title, reverse("proposal", args=[proposal.pk]), None)


def _comments_to_answer(actor: Actor, at: datetime) -> Iterator[Waiting]:
    if not decide_comment("answer", comment_state(is_answered=False, is_hidden=False), actor):
        return
    open_ones = proposals_for(actor, at=at).filter(state__in=OPEN).order_by().values("pk")
    unanswered = Comment.objects.filter(
        window__proposal__in=open_ones, is_objection=True, answered_at=None, hidden_at=None
    )
    for comment in unanswered.select_related("window__proposal__size").order_by("at", "id")[:MOST_OF_A_KIND]:
        proposal = comment.window.proposal
        title = _short(f"{_title(proposal)}: {comment.text}")
        yield Waiting(_("Objection to answer"), title, reverse("comment-window", args=[proposal.pk]), None)
