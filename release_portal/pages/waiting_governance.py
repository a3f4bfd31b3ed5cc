"""What waits for somebody around releases: votes, roll-backs, evidence, objections; as lines for the home page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from textwrap import shorten

from django.urls import reverse
from django.utils.translation import gettext as _

from release_portal.access.lookups import proposals_for, sizes_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.evidence.lookups import evidence_to_review
from release_portal.pages import showing
from release_portal.releases.consultation_rules import comment_state, decide_comment
from release_portal.releases.lookups import unconfirmed_narrowings
from release_portal.releases.models import Proposal
from release_portal.releases.narrowing_rules import may_confirm
from release_portal.releases.proposal_lookups import (
    has_place,
    objections_to_answer,
    reports_to_deposit,
    votes_to_answer,
)
from release_portal.releases.proposal_rules import IN_REVIEW, decide_command

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
    for narrowing in unconfirmed_narrowings():
        if may_confirm(actor, narrowing.facts()):
            url = showing.address("size-move", narrowing.size)
            title = _short(f"{narrowing.size.name}: {narrowing.reason}")
            yield Waiting(_("Roll-back to confirm"), title, url, narrowing.lapses_at)


def _proposals(actor: Actor, at: datetime) -> Iterator[Waiting]:
    in_review = proposals_for(actor, at=at).filter(state=IN_REVIEW).order_by("opened_at", "pk")
    waiting = [proposal for proposal in in_review if has_place(actor, proposal)]
    for proposal in waiting[:MOST_OF_A_KIND]:
        yield Waiting(_("Proposal to vote on"), _title(proposal), reverse("proposal", args=[proposal.pk]), None)


def _title(proposal: Proposal) -> str:
    return _("%(name)s to %(stage)s") % {"name": proposal.size.name, "stage": proposal.to_stage.label}


def _reports(actor: Actor) -> Iterator[Waiting]:
    for review in reports_to_deposit(actor)[:MOST_OF_A_KIND]:
        url = reverse("workspace", args=[review.proposal_id])
        yield Waiting(_("Report to deposit"), _title(review.proposal), url, review.due_at)


def _short(title: str) -> str:
    return shorten(title, LONGEST_TITLE, placeholder=" …")


def _evidence(actor: Actor, at: datetime) -> Iterator[Waiting]:
    for one in evidence_to_review(actor, sizes_for(actor, Action.VIEW, at=at))[:MOST_OF_A_KIND]:
        title = _short(f"{one.size.name}, {one.criterion}: {one.summary}")
        url = f"{showing.address('evidence', one.size)}#criterion-{one.criterion}"
        yield Waiting(_("Evidence to review"), title, url, None)


def _votes_to_answer(actor: Actor, at: datetime) -> Iterator[Waiting]:
    for vote in votes_to_answer(proposals_for(actor, at=at))[:MOST_OF_A_KIND]:
        proposal = vote.lock.proposal
        if decide_command("answer", proposal.state, actor, proposal.opened_by_id):
            title = _short(f"{_title(proposal)}: {vote.reason}")
            yield Waiting(_("Objection to answer"), title, reverse("proposal", args=[proposal.pk]), None)


def _comments_to_answer(actor: Actor, at: datetime) -> Iterator[Waiting]:
    if not decide_comment("answer", comment_state(is_answered=False, is_hidden=False), actor):
        return
    for comment in objections_to_answer(proposals_for(actor, at=at))[:MOST_OF_A_KIND]:
        proposal = comment.window.proposal
        title = _short(f"{_title(proposal)}: {comment.text}")
        yield Waiting(_("Objection to answer"), title, reverse("comment-window", args=[proposal.pk]), None)
