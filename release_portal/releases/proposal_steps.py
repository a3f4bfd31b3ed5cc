"""What every command on a proposal shares: the row under a lock, its version, its event, and its lock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotFound, NotNow, StaleVersion
from release_portal.releases import proposal_rules as rules
from release_portal.releases.models import Lock, Proposal
from release_portal.releases.preparation import check
from release_portal.releases.proposal_lookups import drift_since_lock
from release_portal.releases.proposal_rules import PROPOSAL
from release_portal.releases.services import size_subject

LONGEST_TEXT = 10_000
# What the record says after each command.
EVENTS = {
    "open": "proposal.opened",
    "edit": "proposal.edited",
    "move_policy": "proposal.policy_moved",
    "collect": "proposal.collecting",
    "lock": "proposal.locked",
    "submit": "proposal.submitted",
    "vote": "proposal.voted",
    "answer": "proposal.answered",
    "request_changes": "proposal.changes_requested",
    "veto": "proposal.rejected",
    "reopen": "proposal.reopened",
    "approve": "proposal.approved",
    "cool": "proposal.cooling",
    "schedule": "proposal.scheduled",
    "execute": "proposal.executing",
    "observe": "proposal.observing",
    "complete": "proposal.completed",
    "monitor": "proposal.monitored",
    "expire": "proposal.expired",
    "abort": "proposal.aborted",
    "roll_back": "proposal.rolled_back",
}


def locked(proposal_id: int) -> Proposal:
    """Return a proposal with its row locked for the transaction."""
    found = Proposal.objects.select_for_update(of=("self",)).select_related("size__standing", "policy")
    proposal = found.filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound("There is no such proposal.", change="Proposals are listed on one page.")
    return proposal


def refuse_drift(proposal: Proposal, at: datetime) -> Lock:
    """Return the lock in force, or refuse because what was locked has changed."""
    lock = proposal.locks.filter(voided_at=None).first()
    drift = drift_since_lock(proposal, lock, at) if lock else ("lock",)
    if lock is None or drift:
        raise NotNow(
            f"What was locked has changed: {', '.join(drift)}.",
            code="drift",
            rule="proposal: lock",
            change="Reopen the proposal, lock it anew, and have it voted on again.",
        )
    return lock


def void_lock(proposal: Proposal, reason: str, at: datetime) -> None:
    """End the lock in force; votes on it count for nothing from now on."""
    proposal.locks.filter(voided_at=None).update(voided_at=at, void_reason=reason.strip())


def begin(actor: Actor, proposal_id: int, name: str, expected_version: int) -> Proposal:
    """Return a proposal, locked, on which the command may be given and which nobody changed meanwhile."""
    proposal = locked(proposal_id)
    check(rules.decide_command(name, proposal.state, actor, proposal.opened_by_id))
    if proposal.version != expected_version:
        words = proposal.state.replace("_", " ")
        raise StaleVersion(
            f"The proposal changed while this form was open; it is {words} now.",
            change="Your text is kept here; look at what changed, then send it again.",
        )
    return proposal


def finish(
    proposal: Proposal,
    name: str,
    actor: Actor,
    at: datetime,
    *,
    reason: str = "",
    fields: tuple[str, ...] = (),
    data: Mapping[str, Any] | None = None,
) -> Proposal:
    """Write the state that a command leads to, the fields it changed, and its event."""
    proposal.state = PROPOSAL.command(name).target or proposal.state
    proposal.version += 1
    proposal.save(update_fields=["state", "version", *fields])
    record_step(name, actor, proposal, at, reason.strip(), data or {})
    return proposal


def close(proposal: Proposal, name: str, actor: Actor, reason: str, at: datetime) -> Proposal:
    """Write a command that ends a proposal."""
    proposal.closed_at, proposal.closing_reason = at, reason.strip()
    return finish(proposal, name, actor, at, reason=reason, fields=("closed_at", "closing_reason"))


def record_step(
    name: str, actor: Actor, proposal: Proposal, at: datetime, reason: str = "", data: Mapping[str, Any] | None = None
) -> None:
    """Write the event of a command, with the state and version that it led to."""
    content = {"proposal": proposal.pk, "state": proposal.state, "version": proposal.version, **(data or {})}
    record(EVENTS[name], actor=actor, subject=size_subject(proposal.size.slug), at=at, reason=reason, data=content)


def check_text(text: str, field: str, change: str, *, optional: bool = False) -> None:
    """Raise InvalidInput for a text that is missing, too long, or no text."""
    if "\x00" in text:
        raise InvalidInput("The text holds a character that is no text.", field=field, change="Remove it.")
    if len(text) > LONGEST_TEXT:
        reason = f"It has {len(text):,} characters; at most {LONGEST_TEXT:,} are kept."
        raise InvalidInput(reason, field=field, change="Shorten it.")
    if not text.strip() and not optional:
        raise InvalidInput("A text is needed.", field=field, change=change)
