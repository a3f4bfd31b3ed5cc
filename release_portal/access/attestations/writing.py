"""What every change of an attestation does alike: a state, a version, a dead link, an event."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.application_names import application_subject
from release_portal.access.attestations.facts import may_ask
from release_portal.access.attestations.links import mail_link
from release_portal.access.attestations.rules import ANSWER_TIME, ATTESTATION, LIVE
from release_portal.access.models import Attestation
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput


def move(attestation: Attestation, command: str, at: datetime) -> None:
    """Write the state after a command as a new version; with the last answer the link is dead."""
    attestation.state = ATTESTATION.command(command).target or attestation.state
    attestation.version += 1
    if attestation.state not in LIVE:
        attestation.link_digest = ""
        attestation.ended_at = attestation.ended_at or at
    attestation.save()


def ask(actor: Actor, attestation: Attestation, at: datetime) -> None:
    """Ask a named person: the clock starts and the link is mailed.

    Raises:
        InvalidInput: this person asks the applicant to vouch for their own application.
    """
    # The act is in the record by now, and its head is locked: of two who name each other at once one sees the other.
    decision = may_ask(attestation)
    if not decision:
        code, rule, change = decision.code, decision.rule, decision.change
        raise InvalidInput(decision.reason, code=code, field="mail", rule=rule, change=change)
    attestation.asked_at, attestation.expires_at = at, at + ANSWER_TIME
    mail_link(attestation, "attestation_asked", at=at)
    move(attestation, "request", at)
    note(actor, "attestation.requested", attestation, at)


def note(actor: Actor, kind: str, attestation: Attestation, at: datetime, **data: str) -> None:
    """Write the event of a command; it names the attestation, never the person, the words or the link."""
    facts = {"attestation": attestation.pk, "kind": attestation.kind, "state": attestation.state, **data}
    record(kind, actor=actor, subject=application_subject(attestation.application), at=at, data=facts)
