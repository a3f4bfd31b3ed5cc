"""Read what a proposal rests on: its material, its drift, its votes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import Count, Prefetch, Q, QuerySet

from model_cards.lookups import latest_card
from release_portal.accounts.models import RoleAssignment
from release_portal.audit.models import AuditEvent, AuditEventQuerySet
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not
from release_portal.evidence.lookups import newest_checklist
from release_portal.registry.models import ModelSize, Revision
from release_portal.releases.assessments import assess_proposal, gate_of
from release_portal.releases.gates import Assessment
from release_portal.releases.ladder import stage_of
from release_portal.releases.models import (
    Comment,
    CommentWindow,
    ExternalReview,
    Lock,
    Narrowing,
    Proposal,
    Standing,
    Vote,
)
from release_portal.releases.models.votes import VoteQuerySet
from release_portal.releases.proposal_rules import IN_REVIEW, OPEN, decide_command, drift_of, is_fast_path_open
from release_portal.releases.services import size_subject
from release_portal.releases.vote_rules import (
    APPROVE,
    APPROVE_IF,
    EXTERNAL_REVIEWER,
    OBJECT,
    Tally,
    VoteFacts,
    may_vote,
    tally,
)


def proposal_subject(proposal: Proposal) -> str:
    """Return how checklists name a proposal."""
    return f"proposal:{proposal.pk}"


def open_proposal_on(size: ModelSize) -> Proposal | None:
    """Return the proposal for a size that may still lead to a move, for whoever may see the size."""
    return Proposal.objects.open().filter(size=size).select_related("policy").first()


def standing_votes(lock: Lock | None) -> VoteQuerySet:
    """Return the votes on a lock that nobody has replaced; who may read them is for `votes_visible_to`."""
    return Vote.objects.standing().filter(lock=lock)


def votes_on(proposal: Proposal) -> VoteQuerySet:
    """Return every vote on a proposal, the replaced ones too; who may read them is for `votes_visible_to`."""
    return Vote.objects.filter(lock__proposal=proposal)


def counted_windows() -> Prefetch[Any]:
    """Load the windows of proposals as `counted_windows`; of comments their number only."""
    shown = Q(comments__hidden_at=None)
    waiting = Q(comments__is_objection=True, comments__answered_at=None) & shown
    windows = CommentWindow.objects.annotate(
        comment_count=Count("comments", filter=shown), open_objections=Count("comments", filter=waiting)
    )
    return Prefetch("windows", queryset=windows, to_attr="counted_windows")


def material_of(proposal: Proposal, assessment: Assessment) -> dict[str, Any]:
    """Return everything that is voted on, by part: policy, case, card, checklist, manifest and results.

    Figures that only time changes are left out; a result that time turns around is in.
    """
    card, checklist = latest_card(proposal.size), newest_checklist(proposal.size, proposal_subject(proposal))
    case = f"{proposal.source}\n{proposal.target}\n{proposal.rationale}\n{proposal.conditions}"
    return {
        "policy": proposal.policy_id,
        "case": hashlib.sha256(case.encode()).hexdigest(),
        "card": card.digest if card else "",
        "checklist": checklist.digest if checklist else "",
        "manifest": served_digest(proposal.size),
        "results": {
            result.criterion.id: f"{result.outcome.value}:{result.evidence_digest}" for result in assessment.results
        },
    }


def served_digest(size: ModelSize) -> str:
    """Return the digest of the weights that are served; empty without weights."""
    return Revision.objects.filter(size=size, is_current=True).values_list("digest", flat=True).first() or ""


def drift_since_lock(proposal: Proposal, lock: Lock, at: datetime) -> tuple[str, ...]:
    """Return the names of the locked parts that differ now; empty while every byte is the same."""
    return drift_of(lock.material, material_of(proposal, assess_proposal(proposal, at)))


def results_in_words(assessment: Assessment) -> list[dict[str, Any]]:
    """Return an assessment as plain values, as it is kept with a lock."""
    return [
        {
            "criterion": result.criterion.id,
            "title": result.criterion.title,
            "outcome": result.outcome.value,
            "have": result.have,
            "need": result.need,
            "reason": result.reason,
            "evidence": result.evidence_id,
            "evidence_digest": result.evidence_digest,
        }
        for result in assessment.results
    ]


def tally_of(proposal: Proposal) -> Tally:
    """Return the state of the vote on the lock in force; without a lock nobody has voted."""
    lock = proposal.locks.filter(voided_at=None).first()
    votes = [_vote_facts(vote) for vote in lock.votes.standing()] if lock else []
    return tally(gate_of(proposal).approvals, votes, role_holders(proposal.opened_by_id), proposal.opened_by_id)


def _vote_facts(vote: Any) -> VoteFacts:
    return VoteFacts(vote.person_id, vote.person, vote.role, vote.verdict, vote.answered_at is not None)


def role_holders(proposer_id: str) -> Mapping[str, int]:
    """Return how many people hold each role; the proposer, who may not vote, is not counted."""
    counts = RoleAssignment.objects.exclude(user_id=int(proposer_id or 0)).values("role").annotate(people=Count("user"))
    return {row["role"]: row["people"] for row in counts}


def has_deposited(actor: Actor, proposal: Proposal) -> bool:
    """Whether the actor, as an external reviewer of this proposal, has deposited their report."""
    mine = ExternalReview.objects.filter(proposal=proposal, reviewer_id=actor.id if actor.is_person else "")
    return mine.exclude(deposited_at=None).exists()


def has_place(actor: Actor, proposal: Proposal) -> bool:
    """Whether a vote of the actor, in any of their roles, would count now."""
    if not decide_command("vote", proposal.state, actor, proposal.opened_by_id):
        return False
    mine = votes_on(proposal).standing().filter(lock__voided_at=None, person_id=actor.id, answered_at=None)
    needs, has_voted, deposited = gate_of(proposal).approvals, mine.exists(), has_deposited(actor, proposal)
    return any(
        may_vote(actor, role, APPROVE, needs=needs, has_voted=has_voted, has_deposited=deposited)
        for role in actor.roles
    )


def reports_to_deposit(actor: Actor) -> QuerySet[ExternalReview]:
    """Return the reports that the actor, as an external reviewer, was asked for and has not deposited."""
    asked = ExternalReview.objects.filter(reviewer_id=actor.id, deposited_at=None, proposal__state__in=OPEN)
    return asked.select_related("proposal__size") if actor.is_person else asked.none()


def votes_to_answer(proposals: QuerySet[Proposal]) -> QuerySet[Vote]:
    """Return the objections and conditions that keep proposals in review; who may answer is asked for each.

    Args:
        proposals: those that whoever asks may see.
    """
    in_review = proposals.filter(state=IN_REVIEW).order_by().values("pk")
    waits = Vote.objects.standing().filter(verdict__in=[OBJECT, APPROVE_IF], answered_at=None, lock__voided_at=None)
    found = waits.filter(lock__proposal__in=in_review)
    return found.select_related("lock__proposal__size").order_by("at", "id")


def objections_to_answer(proposals: QuerySet[Proposal]) -> QuerySet[Comment]:
    """Return the objections of readers that nobody answered.

    Args:
        proposals: those that whoever asks may see.
    """
    still_open = proposals.filter(state__in=OPEN).order_by().values("pk")
    waits = Comment.objects.filter(is_objection=True, answered_at=None, hidden_at=None)
    return waits.filter(window__proposal__in=still_open).select_related("window__proposal__size").order_by("at", "id")


def events_of(proposal: Proposal) -> AuditEventQuerySet:
    """Return what the record says of a proposal and of its checklist, for whoever may see its size."""
    about = AuditEvent.objects.about(size_subject(proposal.size.slug))
    own = about.filter(data__proposal=proposal.pk)
    return own | about.filter(data__checklist=proposal_subject(proposal))


def votes_visible_to(actor: Actor, proposal: Proposal) -> Decision:
    """Decide whether the actor may read the votes: everyone after the decision, before it staff and those who
    deposited their report."""
    rule = "proposal: read votes"
    if proposal.state not in OPEN:
        return allow("decided", "What has ended is public.", rule)
    if actor.scopes is None and actor.has_role(EXTERNAL_REVIEWER) and not has_deposited(actor, proposal):
        return may_not("no_report", "Votes are shown once your report is deposited.", rule, "Deposit your report.")
    if actor.scopes is None and actor.has_role(*_VOTE_READERS):
        return allow("staff", "Staff read votes.", rule)
    if has_deposited(actor, proposal):
        return allow("deposited", "Your report is deposited.", rule)
    return may_not("not_decided", "Votes are public once the proposal is decided.", rule, "Look again then.")


_VOTE_READERS = (
    "release_manager",
    "safety_reviewer",
    "access_lead",
    "partner_lead",
    "board",
    "duty_officer",
    "operator",
)


def fast_path_for(standing: Standing, target: str, *, within: Any, at: datetime) -> Decision:
    """Decide whether a size may return to a stage on the fast path."""
    rule = "proposal: fast path"
    last = Narrowing.objects.filter(size_id=standing.size_id, state="confirmed").first()
    is_wider = stage_of(target).ordinal > standing.place.ordinal
    if last is None or not is_wider or not is_fast_path_open(last.raised_at, last.source, target, within, at):
        change = "Open a proposal for the next stage; the full gate applies."
        return may_not("no_fast_path", "This stage was not left by a recent roll-back.", rule, change)
    return allow("fast_path", f"It was held before the roll-back of {last.raised_at:%d %B %Y}.", rule)
