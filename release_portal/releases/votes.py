"""Cast and answer votes; the vote that completes the quorum approves the proposal."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotFound, StaleVersion, error_of
from release_portal.releases import proposal_rules as rules
from release_portal.releases.assessments import gate_of
from release_portal.releases.executions import conclude_vote, reject
from release_portal.releases.models import Lock, Proposal, Vote
from release_portal.releases.proposal_lookups import (
    drift_since_lock,
    has_deposited,
    role_holders,
    tally_of,
    votes_visible_to,
)
from release_portal.releases.proposal_steps import check_text, locked, record_step, refuse_drift
from release_portal.releases.vote_rules import VERDICTS, VETO, VoteFacts, may_vote

__all__ = ["answer_vote", "cast_vote", "role_holders", "tally_of", "votes_visible_to"]

# An open objection turns C28 around until it is answered; other people may vote meanwhile.
UNDER_VOTE = frozenset({"C28"})


@transaction.atomic
def cast_vote(
    actor: Actor,
    proposal_id: int,
    *,
    lock_digest: str,
    role: str,
    verdict: str,
    reason: str,
    conflict_note: str,
    confirmed_at: datetime,
    at: datetime,
) -> Vote:
    """Record a person's verdict on the lock that they saw; the last one needed starts the cool-off.

    Args:
        lock_digest: digest of the lock that the form showed.
        role: the role in which they vote.
        verdict: approve, approve_if, abstain, object or veto.
        reason: why; a condition or an objection is answered before the vote counts.
        conflict_note: what ties them to the outcome; "none" must be written out.
        confirmed_at: when they last proved who they are.

    Raises:
        StaleVersion: the proposal was locked anew since the form was opened.
        NotNow: what was locked has changed, or their vote stands already.
        NotAllowed: their own proposal, a role that they do not hold, or a token.
    """
    proposal = locked(proposal_id)
    _check(rules.decide_command("veto" if verdict == VETO else "vote", proposal.state, actor, proposal.opened_by_id))
    _check_vote(verdict, reason, conflict_note)
    lock = _lock_seen(proposal, lock_digest, at)
    mine = lock.votes.standing().filter(person_id=actor.id).first()
    _check(
        may_vote(
            actor,
            role,
            verdict,
            needs=gate_of(proposal).approvals,
            has_voted=mine is not None and mine.answered_at is None,
            has_deposited=has_deposited(actor, proposal),
        )
    )
    _check(rules.is_confirmed(confirmed_at, at, "proposal: vote"))
    vote = _write(actor, lock, mine, role, verdict, reason, conflict_note, confirmed_at, at)
    data = {"lock": lock.digest, "role": role, "verdict": verdict, "vote": vote.pk}
    record_step("vote", actor, proposal, at, reason.strip(), data)
    if verdict == VETO:
        reject(proposal, actor, reason, at)
    else:
        conclude_vote(proposal, at)
    return vote


@transaction.atomic
def answer_vote(actor: Actor, proposal_id: int, vote_id: int, *, answer: str, at: datetime) -> Vote:
    """Answer an objection, or say how a condition was met; the answer is public, and the voter may vote again."""
    proposal = locked(proposal_id)
    _check(rules.decide_command("answer", proposal.state, actor, proposal.opened_by_id))
    check_text(answer, "answer", "Answer what was said.")
    vote = Vote.objects.standing().filter(pk=vote_id, lock__proposal=proposal, lock__voided_at=None).first()
    if vote is None or not _facts(vote).is_open:
        raise NotFound("There is no such vote that waits for an answer.", change="Look at the votes again.")
    vote.answer, vote.answered_by, vote.answered_at = answer.strip(), actor.name, at
    vote.save(update_fields=["answer", "answered_by", "answered_at"])
    record_step("answer", actor, proposal, at, vote.answer, {"vote": vote.pk})
    conclude_vote(proposal, at)
    return vote


def _check_vote(verdict: str, reason: str, conflict_note: str) -> None:
    if verdict not in VERDICTS:
        raise InvalidInput("There is no such verdict.", field="verdict", change="Choose one from the list.")
    check_text(reason, "reason", "Write why; the decision record shows it.")
    check_text(conflict_note, "conflict_note", "Write what ties you to the outcome, or “none”.")


def _lock_seen(proposal: Proposal, lock_digest: str, at: datetime) -> Lock:
    present = proposal.locks.filter(voided_at=None).first()
    if present is None or present.digest != lock_digest:
        raise StaleVersion(
            "The proposal was locked anew while this form was open.", change="Read what changed, then vote again."
        )
    changed = [part for part in drift_since_lock(proposal, present, at) if part not in UNDER_VOTE]
    return refuse_drift(proposal, at) if changed else present


def _write(
    actor: Actor,
    lock: Lock,
    earlier: Vote | None,
    role: str,
    verdict: str,
    reason: str,
    conflict_note: str,
    confirmed_at: datetime,
    at: datetime,
) -> Vote:
    if earlier is not None:
        earlier.replaced_at = at
        earlier.save(update_fields=["replaced_at"])
    return Vote.objects.create(
        lock=lock,
        person_id=actor.id,
        person=actor.name,
        role=role,
        verdict=verdict,
        reason=reason.strip(),
        conflict_note=conflict_note.strip(),
        confirmed_at=confirmed_at,
        at=at,
        proposer_id=lock.proposal.opened_by_id,
    )


def _facts(vote: Vote) -> VoteFacts:
    return VoteFacts(vote.person_id, vote.person, vote.role, vote.verdict, vote.answered_at is not None)


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
