"""Who may vote in which role, and when the votes are enough (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.releases.gate_policy import ApprovalNeed

APPROVE, APPROVE_IF, ABSTAIN, OBJECT, VETO = "approve", "approve_if", "abstain", "object", "veto"
VERDICTS = (APPROVE, APPROVE_IF, ABSTAIN, OBJECT, VETO)
VETO_ROLES = ("safety_reviewer", "external_reviewer", "board")
EXTERNAL_REVIEWER = "external_reviewer"


@dataclass(frozen=True)
class VoteFacts:
    """One standing vote.

    Args:
        person_id: who voted.
        person: their name.
        role: in which role.
        verdict: approve, approve_if, abstain, object or veto.
        is_answered: whether the proposer answered an objection or met a condition.
    """

    person_id: str
    person: str
    role: str
    verdict: str
    is_answered: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is an approval now; one with a condition counts once the condition was answered."""
        return self.verdict == APPROVE or (self.verdict == APPROVE_IF and self.is_answered)

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.verdict in (OBJECT, APPROVE_IF) and not self.is_answered


@dataclass(frozen=True)
class Place:
    """One line of the quorum: a role, how many are needed, and who has approved."""

    role: str
    needed: int
    people: tuple[str, ...]

    @property
    def is_filled(self) -> bool:
        """Whether enough people of the role have approved."""
        return len(self.people) >= self.needed


@dataclass(frozen=True)
class Tally:
    """The state of a vote: places by role, what waits for an answer, and whether somebody vetoed."""

    places: tuple[Place, ...]
    open_votes: tuple[str, ...]
    vetoed_by: tuple[str, ...]

    @property
    def is_reached(self) -> bool:
        """Whether the quorum is reached and nothing is open."""
        return all(place.is_filled for place in self.places) and not self.open_votes and not self.vetoed_by


def tally(
    needs: Sequence[ApprovalNeed], votes: Sequence[VoteFacts], holders: Mapping[str, int], proposer: str
) -> Tally:
    """Count the votes: each person once, in one role, never the proposer.

    Args:
        needs: what the gate asks for.
        votes: the standing votes on the lock in force.
        holders: how many people hold each role, for shares.
        proposer: actor id of whoever opened the proposal.
    """
    counted: dict[str, VoteFacts] = {}
    for vote in votes:
        if vote.person_id != proposer:
            counted.setdefault(vote.person_id, vote)
    places = tuple(
        Place(
            need.role,
            need.needed(holders.get(need.role, 0)),
            tuple(vote.person for vote in counted.values() if vote.role == need.role and vote.counts),
        )
        for need in needs
    )
    waiting = tuple(vote.person for vote in counted.values() if vote.is_open)
    return Tally(places, waiting, tuple(vote.person for vote in counted.values() if vote.verdict == VETO))


def may_vote(
    actor: Actor, role: str, verdict: str, *, needs: Sequence[ApprovalNeed], has_voted: bool, has_deposited: bool
) -> Decision:
    """Decide whether the actor may cast this verdict in this role.

    Args:
        actor: who votes.
        role: the role in which they vote; they must hold it and the gate must ask for it.
        verdict: one of VERDICTS.
        needs: what the gate asks for.
        has_voted: whether a vote of theirs on this lock stands and waits for nothing.
        has_deposited: whether, as an external reviewer, they have deposited their report.
    """
    rule = "proposal: vote"
    if role not in actor.roles:
        return may_not("role", f"You do not hold the role {_words(role)}.", rule, "Vote in a role of yours.")
    if role not in {need.role for need in needs}:
        asked = ", ".join(sorted(_words(need.role) for need in needs))
        return may_not("no_place", f"This gate asks for: {asked}.", rule, "Leave a comment instead.")
    if verdict == VETO and role not in VETO_ROLES:
        return may_not("no_veto", f"A {_words(role)} has no veto.", rule, "Object, and say why.")
    if role == EXTERNAL_REVIEWER and not has_deposited:
        return not_now(
            "no_report", "Your report is not deposited.", rule, "Deposit the report in your workspace first."
        )
    if has_voted:
        return not_now("voted", "Your vote on this lock stands.", rule, "It can be changed after an answer to it.")
    return allow("vote", f"The gate asks for a {_words(role)}.", rule)


def _words(role: str) -> str:
    return role.replace("_", " ")
