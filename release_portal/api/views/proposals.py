"""Proposals and decisions, to read. Votes and execution have no address here, because a token can never decide.

Who decides is a person with a role, who has just proved who they are; a token is neither, whoever owns it.
"""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet, prefetch_related_objects
from rest_framework.request import Request
from rest_framework.response import Response

from release_portal.access.lookups import proposal_for, proposals_for
from release_portal.access.policy import READ_SCOPE
from release_portal.api.base import ApiView
from release_portal.api.documented import documented
from release_portal.api.examples import DECISION, PROPOSAL, PROPOSALS
from release_portal.api.paging import page_of, page_schema
from release_portal.api.serializers.proposals import DecisionRecord, ProposalFacts, ProposalQuery, ProposalRow
from release_portal.api.shown import Shown
from release_portal.api.views.policies import TAG
from release_portal.core.errors import NotFound
from release_portal.releases.assessments import assess_proposal
from release_portal.releases.models import Lock, Proposal, Vote
from release_portal.releases.proposal_lookups import (
    counted_windows,
    results_in_words,
    standing_votes,
    tally_of,
    votes_on,
    votes_visible_to,
)
from release_portal.releases.proposal_rules import DECIDED

LONGEST_ID = 18  # digits of a number that every database takes


class ProposalView(ApiView):
    """What the addresses of proposals share."""

    scopes = (READ_SCOPE,)

    def found(self, proposal_id: str) -> Proposal:
        """Return a proposal that the asker may see."""
        return proposal_for(self.actor, number_in(proposal_id), at=self.at)

    def shown(self, proposal: Proposal, lock: Lock | None, votes: QuerySet[Vote]) -> Shown:
        """Return a proposal with what its facts are written from; the votes only where the asker may read them.

        Args:
            proposal: what is shown.
            lock: what was voted on; None before.
            votes: the votes that belong to it.
        """
        decision = votes_visible_to(self.actor, proposal)
        prefetch_related_objects([proposal], *_around())
        return Shown(
            proposal,
            shown_lock=lock,
            results=lock.results if lock else results_in_words(assess_proposal(proposal, self.at)),
            shown_votes=list(votes.select_related("lock")) if decision else None,
            shown_quorum=tally_of(proposal).places if decision else None,
            votes_reason=decision.reason,
            votes_change=decision.change,
        )


class Proposals(ProposalView):
    """Proposals."""

    query = ProposalQuery

    @documented("list_proposals", page_schema("Proposal", ProposalRow), tag=TAG, query=ProposalQuery, example=PROPOSALS)
    def get(self, request: Request) -> Response:
        """List the proposals about sizes that you may see, newest first.

        They are read here and nothing more: votes and execution have no address, because a token can never decide.
        """
        found = proposals_for(self.actor, at=self.at).prefetch_related("locks")
        if state := self.asked_for.get("state"):
            found = found.filter(state=state)
        if size := self.asked_for.get("size"):
            found = found.filter(size__slug=size)
        return page_of(found, ProposalRow, self.asked_for)


class OneProposal(ProposalView):
    """One proposal."""

    @documented("read_proposal", ProposalFacts, tag=TAG, errors=(404,), example=PROPOSAL)
    def get(self, request: Request, proposal_id: str) -> Response:
        """Return a proposal with its lock, results, waivers and windows; with its votes where you may read them.

        Before the decision a token reads no votes, except that of an external reviewer whose report is deposited.
        """
        proposal = self.found(proposal_id)
        lock = proposal.current_lock
        votes = standing_votes(lock)
        return Response(ProposalFacts(self.shown(proposal, lock, votes)).data)


class OneDecision(ProposalView):
    """The record of a decision."""

    @documented("read_decision", DecisionRecord, tag=TAG, errors=(404,), example=DECISION)
    def get(self, request: Request, proposal_id: str) -> Response:
        """Return the record of a decided proposal: what was voted on, every vote with its reason, every lock."""
        proposal = proposals_for(self.actor, at=self.at).filter(pk=number_in(proposal_id), state__in=DECIDED).first()
        if proposal is None:
            raise NotFound("There is no such decision.", change="An open proposal is read at proposals/.")
        votes = votes_on(proposal)
        return Response(DecisionRecord(self.shown(proposal, proposal.locks.first(), votes)).data)


def _around() -> tuple[Any, ...]:
    """Return what belongs to a proposal; of comments their number only."""
    return "locks", "waivers__votes", "external_reviews", counted_windows()


def number_in(text: str) -> int:
    """Return the number that a part of an address names; raise NotFound for anything else."""
    if not (text.isdecimal() and text.isascii() and len(text) <= LONGEST_ID):
        raise NotFound("There is nothing here.", change="Proposals are known by their numbers.")
    return int(text)
