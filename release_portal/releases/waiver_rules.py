"""Who may ask for a waiver, who may agree to it, and when it counts (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.releases.gate_policy import ApprovalNeed, Gate
from release_portal.releases.preparation_rules import instant, written
from release_portal.releases.proposal_rules import APPROVERS, NEW, relations

ASKED, GRANTED, ENDED = "asked", "granted", "ended"
# Whatever a policy file says: these are never waived, nor are approvals and cool-off, which are no criteria.
NEVER_WAIVED = ("C01", "C15", "C27")
MORE_THAN_QUORUM = 1

WAIVER = Lifecycle(
    "waiver",
    (NEW, ASKED, GRANTED, ENDED),
    (
        command("ask", "new", ASKED, "release_manager", "before the lock; one criterion; with a reason and an end"),
        command("agree", "asked", None, " ".join(APPROVERS), "never the asker or the proposer; once each"),
        command("grant", "asked", GRANTED, "system", "one person more than the gate needs has agreed"),
        command("end", "asked granted", ENDED, "system", "its end is reached; nothing runs, it counts no longer"),
    ),
)


@dataclass(frozen=True)
class WaiverFacts:
    """What the rules need to know of one waiver.

    Args:
        criterion: id of the criterion.
        asked_by_id: actor id of whoever asked.
        proposer_id: actor id of whoever opened the proposal.
        ends_at: until when it counts.
        is_granted: whether enough people have agreed.
        agreed_ids: actor ids of those who have agreed.
    """

    criterion: str
    asked_by_id: str
    proposer_id: str
    ends_at: datetime
    is_granted: bool = False
    agreed_ids: tuple[str, ...] = ()

    def state(self, at: datetime) -> str:
        """Return its state at that time."""
        if instant(at) >= instant(self.ends_at):
            return ENDED
        return GRANTED if self.is_granted else ASKED


def may_ask(actor: Actor, criterion: str, others: Sequence[WaiverFacts], at: datetime) -> Decision:
    """Decide whether the actor may ask for a waiver of a criterion beside the proposal's other waivers."""
    decision = WAIVER.decide("ask", NEW, relations(actor))
    if not decision:
        return decision
    if any(other.criterion == criterion and other.state(at) != ENDED for other in others):
        change = "Wait until it is decided, or until it ends."
        return not_now("waived", f"A waiver of {criterion} is asked for or in force.", "waiver: ask", change)
    return decision


def waivable(gate: Gate) -> tuple[str, ...]:
    """Return the ids of the gate's criteria for which a waiver may be asked."""
    return tuple(one.id for one in gate.criteria if one.is_waivable and one.id not in NEVER_WAIVED)


def criterion_problem(gate: Gate, criterion: str) -> str:
    """Return why this criterion cannot be waived at this gate; empty when it can."""
    if criterion not in gate.ids:
        return f"{criterion!r} is no criterion of this gate."
    return "" if criterion in waivable(gate) else f"{criterion} is never waived."


def end_problem(ends_at: datetime, at: datetime, longest: timedelta) -> str:
    """Return why a waiver cannot end then; empty when it can."""
    start, end = instant(at), instant(ends_at)
    if end <= start:
        return "The end must lie in the future."
    if end > start + longest:
        return f"The policy allows at most {longest.days} days: until {written(start + longest)}."
    return ""


def people_needed(needs: Sequence[ApprovalNeed], holders: Mapping[str, int]) -> int:
    """Return how many people must agree: one more than the gate needs approvals.

    Args:
        needs: what the gate asks for.
        holders: how many people hold each role, for shares.
    """
    return sum(need.needed(holders.get(need.role, 0)) for need in needs) + MORE_THAN_QUORUM


def may_agree(actor: Actor, role: str, waiver: WaiverFacts, at: datetime) -> Decision:
    """Decide whether the actor may agree to a waiver in this role; any role that votes on releases will do."""
    rule = "waiver: agree"
    decision = WAIVER.decide("agree", waiver.state(at), relations(actor))
    if not decision:
        return decision
    if actor.id == waiver.asked_by_id:
        return may_not("own_waiver", "You asked for this waiver.", rule, "Other people must agree.")
    if actor.id == waiver.proposer_id:
        return may_not("own_proposal", "This is your own proposal.", rule, "Other people must agree.")
    if role not in actor.roles or role not in APPROVERS:
        asked = ", ".join(map(_words, APPROVERS))
        return may_not("role", f"You cannot agree as {_words(role)}.", rule, f"Agree in a role of yours: {asked}.")
    if actor.id in waiver.agreed_ids:
        return not_now("agreed", "You have agreed already.", rule, "Nothing is left to do.")
    return allow("agree", f"A {_words(role)} may agree to a waiver.", rule)


def _words(role: str) -> str:
    return role.replace("_", " ")
