"""What sending an application does about those who vouch: what is missing before, whom it asks."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.application_rules import DRAFT, Problem
from release_portal.access.attestations.facts import latest_of, may_ask, needs_of, reusable
from release_portal.access.attestations.rules import CONFIRMED, INSTITUTION, NAMED, REFEREE
from release_portal.access.attestations.writing import ask, note
from release_portal.access.models import Application, Attestation
from release_portal.core.actors import Actor


def attesters_missing(application: Application, tier: int, at: datetime) -> list[Problem]:
    """Return who must still be named, or be another, before an application is sent; later they stop the approval."""
    if application.state != DRAFT:
        return []
    named = latest_of(application)
    missing = [
        Problem(need.kind, f"{need.why} {_ASK[need.kind]}")
        for need in needs_of(application, tier)
        if not _is_named(named.get(need.kind)) and reusable(application, need.kind, at) is None
    ]
    return missing + [problem for one in named.values() if (problem := _tie(application, one)) is not None]


def _tie(application: Application, found: Attestation) -> Problem | None:
    """A draft binds nobody, so whom it names is looked at once more when it is sent."""
    found.application = application
    decision = may_ask(found) if _is_named(found) else None
    return None if decision is None or decision else Problem(found.kind, f"{decision.reason} {decision.change}")


_ASK = {
    REFEREE: "Save the draft, then name a referee.",
    INSTITUTION: "Save the draft, then name an officer of the institution.",
}


def _is_named(found: Attestation | None) -> bool:
    return found is not None and found.state == NAMED


def ask_attesters(actor: Actor, application: Application, tier: int, at: datetime) -> None:
    """Ask everybody who was named; where a confirmation of the renewed grant's application serves, take that over."""
    for named in list(application.attestations.select_for_update().filter(state=NAMED)):
        named.application = application
        ask(actor, named, at)
    asked = latest_of(application)
    for need in needs_of(application, tier):
        earlier = None if need.kind in asked else reusable(application, need.kind, at)
        if earlier is not None:
            _take_over(actor, application, earlier, at)


_TAKEN = (
    "kind", "name", "mail", "mailbox", "domain", "stated_relation", "asked_at", "opened_at", "ended_at", "statement",
    "statement_digest", "relation", "since", "words", "valid_until",
)  # fmt: skip


def _take_over(actor: Actor, application: Application, earlier: Attestation, at: datetime) -> None:
    """A confirmation that is taken over lives as long as the one that was given, not longer."""
    taken = {name: getattr(earlier, name) for name in _TAKEN}
    made = Attestation.objects.create(application=application, state=CONFIRMED, reuses=earlier, named_at=at, **taken)
    note(actor, "attestation.reused", made, at, earlier=earlier.pk)
