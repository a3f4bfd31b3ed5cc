"""Reviewing: voices that count, leases on an application, and interests that exclude a reviewer (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.access.application_rules import GRANTED, REFUSED, SECOND_REVIEW
from release_portal.core.decisions import Decision, allow, may_not, not_now

APPROVE, REFUSE = "approve", "refuse"
VERDICTS = (APPROVE, REFUSE)
# So many people must agree from tier 2 on; when two disagree, the third voice decides.
VOICES = 2
LEASE = timedelta(minutes=30)

# Providers at which anybody has an address, and names that are reserved for examples: they show no common lab.
PUBLIC_MAIL = frozenset(
    {
        "gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "yahoo.com", "icloud.com",
        "me.com", "aol.com", "gmx.net", "gmx.de", "gmx.com", "web.de", "mail.com", "mail.ru", "yandex.ru", "yandex.com",
        "proton.me", "protonmail.com", "posteo.de", "fastmail.com", "zoho.com", "qq.com", "163.com", "126.com",
        "naver.com", "hey.com", "tutanota.com", "example.com", "example.org", "example.net",
    }
)  # fmt: skip
# Answers to "where do you work?" that name no place.
NO_PLACE = frozenset({"", "-", "none", "independent", "alone", "self", "freelance", "private", "retired"})


@dataclass(frozen=True)
class Interests:
    """What ties a person to a lab: the domain of the address, and the affiliations they named."""

    email: str
    affiliations: frozenset[str] = frozenset()


def shared_lab(one: Interests, other: Interests) -> str:
    """Return by what two people belong to one lab; empty when nothing shows it."""
    domain = _domain(one.email)
    if domain and domain == _domain(other.email) and domain not in PUBLIC_MAIL:
        return f"both addresses end in {domain}"
    names = {_place(name) for name in one.affiliations} & {_place(name) for name in other.affiliations}
    return "both named the same affiliation" if names - NO_PLACE else ""


def tie_to_team(mine: Interests, members: Iterable[Interests]) -> str:
    """Return by what a reviewer belongs to a team: is named in it, or shares a lab with one of its people."""
    address = mine.email.strip().casefold()
    for member in members:
        if address and member.email.casefold() == address:
            return "you are named as a member of the team"
        if shared := shared_lab(mine, member):
            return f"a member of the team and you: {shared}"
    return ""


def _domain(email: str) -> str:
    return email.rpartition("@")[2].strip().rstrip(".").casefold()


def _place(name: str) -> str:
    return " ".join(name.casefold().split()).strip(" .,")


def no_interest(name: str, shared: str) -> Decision:
    """Decide whether somebody may decide who shares a lab with the applicant, or not."""
    rule = f"application: {name}"
    if not shared:
        return allow("no_interest", "Nothing ties this reviewer to the applicant's lab.", rule)
    reason = f"You and the applicant, or their team, seem to belong together: {shared}."
    return may_not("same_lab", reason, rule, "Somebody from elsewhere decides; you may still write advice.")


# --- Voices ----------------------------------------------------------------------------------------------------------


def outcome(verdicts: Iterable[str], people: int = VOICES) -> str:
    """Return the state to which the voices lead that count: two that agree end it, else it waits.

    Args:
        verdicts: the voices.
        people: how many must approve where a programme asks for more than two.
    """
    given = list(verdicts)
    if given.count(APPROVE) >= max(people, VOICES):
        return GRANTED
    return REFUSED if given.count(REFUSE) >= VOICES else SECOND_REVIEW


def may_vote(name: str, has_voted: bool) -> Decision:
    """Decide whether somebody may raise a voice: once, and the second is somebody else's."""
    rule = f"application: {name}"
    if has_voted:
        return not_now("voted", "You have reviewed this application already.", rule, "Another reviewer must do it.")
    return allow("no_voice_yet", "You have not reviewed it yet.", rule)


# --- Leases ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Lease:
    """Somebody looks at an application until then."""

    by_id: str
    by_name: str
    until: datetime


def not_taken(name: str, actor_id: str, lease: Lease | None, *, has_reason: bool = False) -> Decision:
    """Decide whether another reviewer's lease stands in the way; a reason is enough to take it over."""
    rule = f"application: {name}"
    if lease is None or lease.by_id == actor_id or has_reason:
        return allow("free", "Nobody else is looking at it.", rule)
    reason = f"{lease.by_name} is looking at it until {lease.until:%H:%M} UTC."
    return not_now("claimed", reason, rule, "Wait until then, or take it with a reason.")


def not_before(name: str, took_part: bool) -> Decision:
    """Refuse whoever took part in a refusal that an appeal overturned; new people decide."""
    rule = f"application: {name}"
    if took_part:
        reason = "You took part in the decision that an appeal overturned."
        return may_not("decided_before", reason, rule, "Somebody who took no part in it decides now.")
    return allow("new_reviewer", "You took no part in an earlier decision.", rule)
