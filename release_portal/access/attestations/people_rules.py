"""Who may vouch for whom: addresses that are one address, and people who must not be one person (pure)."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from release_portal.access.attestations.rules import INSTITUTION, LABELS, LONGEST_NAME
from release_portal.access.review_rules import PUBLIC_MAIL
from release_portal.core.decisions import Decision, allow, may_not

# Under these anybody can register a name: they are no institution's own.
SHARED_SUFFIXES = frozenset(
    {
        "ac.uk", "co.uk", "org.uk", "gov.uk", "edu.au", "com.au", "org.au", "ac.jp", "co.jp", "or.jp", "ac.kr", "co.kr",
        "ac.nz", "co.nz", "ac.za", "co.za", "ac.in", "edu.in", "co.in", "edu.cn", "ac.cn", "com.cn", "edu.br", "com.br",
        "edu.mx", "com.mx", "edu.tr", "com.tr", "ac.il", "co.il", "ac.at", "co.at", "edu.pl", "com.pl", "edu.sg",
        "com.sg", "edu.hk", "com.hk", "edu.tw", "com.tw", "github.io", "gitlab.io", "web.app", "blogspot.com",
    }
)  # fmt: skip
SAME_PROVIDER = {"googlemail.com": "gmail.com", "protonmail.com": "proton.me"}


def domain_of(written: str) -> str:
    """Return a domain as computers know it, without an address before it; empty when it is none."""
    name = unicodedata.normalize("NFKC", written).rpartition("@")[2].strip().strip(".").casefold()
    try:
        return name.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def mailbox_of(address: str) -> str:
    """Return one spelling for all spellings of one mailbox: case, dots and what follows a plus make no difference."""
    local = unicodedata.normalize("NFKC", address).rpartition("@")[0].strip().casefold()
    domain = domain_of(address)
    return f"{local.partition('+')[0].replace('.', '')}@{SAME_PROVIDER.get(domain, domain)}" if local and domain else ""


def is_public_mail(address: str) -> bool:
    """Return whether anybody can have an address there."""
    return domain_of(address) in PUBLIC_MAIL


def belongs_to(address: str, domain: str) -> bool:
    """Return whether an address lies in a domain or in a part of it; a name that only ends alike does not."""
    own, stated = domain_of(address), domain_of(domain)
    return bool(stated) and (own == stated or own.endswith(f".{stated}"))


def unreadable_name(name: str) -> str:
    """Return what is wrong with a name; the mail to a stranger carries it, so it holds neither lines nor links."""
    text = name.strip()
    if not text:
        return "Write the person's name."
    if len(text) > LONGEST_NAME:
        return f"At most {LONGEST_NAME} characters."
    is_plain = all(one.isprintable() for one in text) and not {"://", "www.", "@"} & _parts(text.casefold())
    return "" if is_plain else "Write a name, without addresses or links."


def _parts(text: str) -> set[str]:
    return {one for one in ("://", "www.", "@") if one in text}


@dataclass(frozen=True)
class Around:
    """Whom the applicant and the application are already tied to; mailboxes in one spelling.

    Args:
        applicant: mailboxes of the applicant.
        team: mailboxes of the team members of the application.
        others: mailboxes of those who vouch in the other kind.
        said_no: mailboxes of those who declined or disputed a request for this application.
        asks_the_applicant: mailboxes of people who named the applicant to vouch for their own open application.
    """

    applicant: frozenset[str]
    team: frozenset[str] = frozenset()
    others: frozenset[str] = frozenset()
    said_no: frozenset[str] = frozenset()
    asks_the_applicant: frozenset[str] = frozenset()


def may_name(kind: str, mail: str, domain: str, around: Around) -> Decision:
    """Decide whether somebody may be named to vouch.

    Args:
        kind: referee or institution.
        mail: the person's address.
        domain: the institution's domain, for its officer.
        around: whom the application is tied to.
    """
    box, rule = mailbox_of(mail), f"attestation: name a {kind}"
    for boxes, code, reason, change in _TIES:
        if box in getattr(around, boxes):
            return may_not(code, reason, rule, change)
    return _may_sign_for(mail, domain, rule) if kind == INSTITUTION else _allowed(kind, rule)


def _allowed(kind: str, rule: str) -> Decision:
    return allow("free", f"This person may be named as {LABELS[kind]}.", rule)


_TIES = (
    (
        "applicant",
        "own_address",
        "This is an address of yours; other spellings of one mailbox are the same address.",
        "Name somebody else.",
    ),
    (
        "team",
        "team_member",
        "This person is on the team of the application.",
        "Name somebody who takes no part in the work.",
    ),
    (
        "others",
        "same_person",
        "This person is named for the other statement already: referee and institution are two people.",
        "Name another person for one of the two.",
    ),
    (
        "said_no",
        "said_no",
        "This person was asked for this application and did not confirm.",
        "Name somebody else.",
    ),
    (
        "asks_the_applicant",
        "mutual",
        "This person has named you to vouch for their own application: two people do not vouch for each other.",
        "Name somebody for whom you do not vouch.",
    ),
)


def _may_sign_for(mail: str, domain: str, rule: str) -> Decision:
    stated = domain_of(domain)
    if "." not in stated or stated in SHARED_SUFFIXES:
        change = "Write the domain of its web pages, for instance uni-name.edu."
        return may_not("no_domain", "This is not the domain of one institution.", rule, change)
    if stated in PUBLIC_MAIL or is_public_mail(mail):
        reason = "Anybody can have an address at this provider, so it shows no institution."
        return may_not("public_mail", reason, rule, "Name the address that the person has at the institution.")
    if not belongs_to(mail, stated):
        reason = f"The address does not lie in {stated}."
        return may_not("other_domain", reason, rule, "The officer's address must lie in the institution's domain.")
    return _allowed(INSTITUTION, rule)
