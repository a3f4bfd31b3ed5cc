"""The closed catalogue of events: what is written down, in which words, and what the public may read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class EventKind:
    """One kind of act.

    Args:
        kind: stable slug, `<noun>.<past participle>`.
        label: sentence part for people.
        public: whether the public timeline of the subject shows it.
    """

    kind: str
    label: str
    public: bool = False


_ALL = (
    EventKind("catalogue.loaded", "catalogue facts loaded"),
    EventKind("size.registered", "size registered", public=True),
    EventKind("revision.imported", "weights imported", public=True),
    EventKind("stage.set", "stage recorded from the public record", public=True),
    EventKind("stage.advanced", "advanced to a wider stage", public=True),
    EventKind("stage.rolled_back", "rolled back to a narrower stage", public=True),
    EventKind("card.published", "model card published", public=True),
    EventKind("account.created", "account created"),
    EventKind("account.exported", "own data exported"),
    EventKind("role.given", "role given"),
    EventKind("role.taken", "role taken"),
    EventKind("token.created", "API token created"),
    EventKind("token.revoked", "API token revoked"),
    EventKind("grant.created", "grant created"),
    EventKind("grant.suspended", "grant suspended"),
    EventKind("grant.suspension_confirmed", "suspension confirmed by a second officer"),
    EventKind("grant.lifted", "suspension lifted"),
    EventKind("grant.suspension_lapsed", "suspension lapsed unconfirmed"),
    EventKind("grant.surrendered", "grant given up by its holder"),
    EventKind("grant.expired", "grant ended"),
    EventKind("grant.renewed", "grant renewed"),
    EventKind("agreement.published", "agreement version published"),
    EventKind("agreement.signed", "agreement accepted"),
    EventKind("application.started", "application started"),
    EventKind("application.submitted", "application submitted"),
    EventKind("application.asked", "question asked"),
    EventKind("application.answered", "question answered"),
    EventKind("application.approved", "application approved"),
    EventKind("application.refused", "application refused"),
    EventKind("application.withdrawn", "application withdrawn"),
    EventKind("application.lapsed", "application lapsed"),
    EventKind("mail.retried", "failed mail tried again"),
    EventKind("hold.raised", "hold raised", public=True),
    EventKind("hold.confirmed", "stop of use confirmed by a second officer"),
    EventKind("hold.released", "hold released", public=True),
    EventKind("hold.lapsed", "stop of use lapsed unconfirmed", public=True),
    EventKind("report.received", "misuse report received"),
    EventKind("report.message", "message on a misuse report"),
    EventKind("report.matched", "text of a misuse report looked up in the record of generations"),
    EventKind("report.triaged", "misuse report triaged"),
    EventKind("report.acted", "action taken on a misuse report"),
    EventKind("report.closed", "misuse report closed"),
    EventKind("jobs.sealed", "ended jobs sealed by their root"),
)

CATALOGUE: dict[str, EventKind] = {event.kind: event for event in _ALL}


def event_kind(kind: str) -> EventKind:
    """Return the entry of the catalogue; raises KeyError for an event that nobody declared."""
    return CATALOGUE[kind]


def public_kinds() -> frozenset[str]:
    """Return the kinds that a public timeline shows."""
    return frozenset(kind for kind, event in CATALOGUE.items() if event.public)
