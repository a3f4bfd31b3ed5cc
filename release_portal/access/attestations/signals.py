"""What reviewers should know about those who vouch: coded signals, never a score, never a decision (pure)."""

from __future__ import annotations

from dataclasses import dataclass

from release_portal.access.attestations.people_rules import belongs_to, domain_of, is_public_mail
from release_portal.access.attestations.rules import CONFIRMED, DISPUTED, INSTITUTION, LIVE, REFEREE, RELATIONS

INTEGRITY = "integrity_check"


@dataclass(frozen=True)
class Facts:
    """What is known of one attestation, beside its state."""

    kind: str
    state: str
    mail: str
    applicant_mail: str
    said_by_applicant: str = ""
    said_by_attester: str = ""
    is_current: bool = True
    is_reused: bool = False
    is_undelivered: bool = False


@dataclass(frozen=True)
class Signal:
    """One thing to look at."""

    code: str
    sentence: str


def signals(facts: Facts) -> tuple[Signal, ...]:
    """Return what reviewers should look at; an empty list is no praise."""
    found = (
        (facts.state == DISPUTED, INTEGRITY, "The person says that the request is not theirs: check who is behind it."),
        (facts.state in LIVE and facts.is_undelivered, "undelivered", "The mail to this person could not be sent."),
        (_has_public_mail(facts), "public_mail", "Anybody can have an address at the provider of this person."),
        (_shares_domain(facts), "same_domain", "The addresses of this person and of the applicant share a domain."),
        (_is_elsewhere(facts), "other_domain", "The applicant's address lies outside the domain of the institution."),
        (_is_international(facts), "spelling", "The domain has letters that can look like others; read it with care."),
        (_differs(facts), "relation_differs", _difference(facts)),
        (facts.state == CONFIRMED and not facts.is_current, "changed", "The answers changed since this was confirmed."),
        (facts.is_reused, "reused", "The confirmation was given for an earlier application with the same answers."),
    )
    return tuple(Signal(code, sentence) for is_so, code, sentence in found if is_so)


def _has_public_mail(facts: Facts) -> bool:
    return facts.kind == REFEREE and is_public_mail(facts.mail)


def _shares_domain(facts: Facts) -> bool:
    shared = domain_of(facts.mail) == domain_of(facts.applicant_mail)
    return facts.kind == REFEREE and bool(facts.mail) and shared and not is_public_mail(facts.mail)


def _is_elsewhere(facts: Facts) -> bool:
    return facts.kind == INSTITUTION and bool(facts.mail) and not _related(facts.applicant_mail, facts.mail)


def _related(one: str, other: str) -> bool:
    return belongs_to(one, domain_of(other)) or belongs_to(other, domain_of(one))


def _is_international(facts: Facts) -> bool:
    return "xn--" in domain_of(facts.mail)


def _differs(facts: Facts) -> bool:
    said = (facts.said_by_applicant, facts.said_by_attester)
    return all(said) and said[0] != said[1]


def _difference(facts: Facts) -> str:
    names = RELATIONS[facts.kind]
    applicant, attester = (names.get(one, one) for one in (facts.said_by_applicant, facts.said_by_attester))
    return f"The applicant says: {applicant}. The person says: {attester}."
