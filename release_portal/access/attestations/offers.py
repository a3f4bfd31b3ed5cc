"""What an applicant may do about those who vouch: services and pages ask here."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.application_rules import OPEN, relations
from release_portal.access.attestations import rules
from release_portal.access.attestations.facts import latest_of, voucher_of
from release_portal.access.attestations.rules import ATTESTATION, NEW
from release_portal.access.models import Application, Attestation
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, not_now

COMMANDS = ("name", "swap", "resend", "cancel", "again")


def decision_on(name: str, actor: Actor, application: Application, found: Attestation | None, at: datetime) -> Decision:
    """Decide whether the actor may give a command on the latest attestation of a kind now.

    Args:
        name: name, swap, resend, cancel or again.
        actor: who asks.
        application: with its attestations.
        found: the latest of its kind; None when nobody was ever named.
        at: the time of asking.
    """
    if application.state not in OPEN:
        change = "Apply again; then you can name people anew."
        return not_now("state", f"This application is {application.state}.", f"attestation: {name}", change)
    state = found.state_at(at) if found else NEW
    decision = ATTESTATION.decide(name, state, relations(actor, str(application.applicant_id)))
    limit = _limit(name, found, at) if decision and found else None
    return decision if limit is None else limit


def _limit(name: str, found: Attestation, at: datetime) -> Decision | None:
    """What the state alone does not say."""
    if name == "swap" and not is_free(found):
        return rules.may_swap(swaps_of(found))
    if name == "resend":
        assert found.mailed_at is not None
        return rules.may_resend(found.resent, found.mailed_at, at)
    return rules.may_ask_again(voucher_of(found, at), at) if name == "again" else None


def offered(actor: Actor, application: Application, kind: str, at: datetime) -> dict[str, Decision]:
    """Return every command with its decision, for one kind."""
    found = latest_of(application).get(kind)
    if found is not None:
        found.application = application
    return {name: decision_on(name, actor, application, found, at) for name in COMMANDS}


def is_free(found: Attestation) -> bool:
    """Return whether naming another person is no swap: nobody was asked, or the application ended and came back."""
    return found.ended_with_application or found.asked_at is None


def swaps_of(found: Attestation) -> int:
    """Return how often another person was named for this kind."""
    return max(one.swap_number for one in found.application.attestations.all() if one.kind == found.kind)
