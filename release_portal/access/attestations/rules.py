"""Attestations: who must vouch for an application, the states of a request, its clock, and what counts (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.access.application_rules import Answers, kind_of_grant
from release_portal.core.decisions import Decision, allow, may_not, not_now, too_much
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.releases.ladder import stage_of

REFEREE, INSTITUTION = "referee", "institution"
KINDS = (REFEREE, INSTITUTION)
LABELS = {REFEREE: "referee", INSTITUTION: "officer of the institution"}

# Before somebody is named there is nothing: the matrix shows that as a state, no row ever stands in it.
NEW, NAMED, REQUESTED, OPENED = "new", "named", "requested", "opened"
CONFIRMED, DECLINED, DISPUTED, EXPIRED, CANCELLED = "confirmed", "declined", "disputed", "expired", "cancelled"
STATES = (NAMED, REQUESTED, OPENED, CONFIRMED, DECLINED, DISPUTED, EXPIRED, CANCELLED)
# Somebody holds a link that works; somebody is named of whom nothing final is known.
LIVE = frozenset({REQUESTED, OPENED})
PENDING = LIVE | {NAMED}
# In these states the person stands in a relation to the application that keeps them from deciding on it.
TIED = frozenset({REQUESTED, OPENED, CONFIRMED, DECLINED})

ATTESTATION = Lifecycle(
    "attestation",
    (NEW, *STATES),
    (
        command("name", "new named", NAMED, "applicant", "in a draft nobody is mailed yet"),
        command(
            "request", "named", REQUESTED, "applicant", "when the application is sent; a single-use link is mailed"
        ),
        command("open", "requested", OPENED, "link_holder", "says: this is me; looking at the page changes nothing"),
        command("confirm", "opened", CONFIRMED, "link_holder", "every sentence, relation and year; lives 12 months"),
        command("decline", "requested opened", DECLINED, "link_holder", "a reason may be given to the reviewers"),
        command("dispute", "requested opened", DISPUTED, "link_holder", "not me; a signal to reviewers, no decision"),
        command("remind", "requested opened", None, "system", "after 7 and 14 days; a new link replaces the old one"),
        command("expire", "requested opened", EXPIRED, "system", "after 21 days; never counts as a yes"),
        command(
            "resend", "requested opened", None, "applicant", "a new link to the same address, 3 times, a day apart"
        ),
        command("cancel", "named requested opened", CANCELLED, "applicant", "the link dies"),
        command(
            "swap",
            "requested opened declined disputed expired cancelled",
            None,
            "applicant",
            "another person is named, at most 2 times for each kind; what is open is cancelled",
        ),
        command(
            "again", "confirmed", None, "applicant", "answers changed or 12 months are over: the same person again"
        ),
        command("end", "named requested opened", CANCELLED, "system", "the application ended; the link died with it"),
        command(
            "forget",
            "confirmed declined disputed expired cancelled",
            None,
            "system",
            "a year after the application ended or the confirmation ran out: name, address and words are deleted",
        ),
    ),
)

REFEREE_FROM_TIER = 2
ANSWER_TIME = timedelta(days=21)
REMINDERS = (timedelta(days=7), timedelta(days=14))
LIFE = timedelta(days=365)
KEPT = timedelta(days=365)
MOST_SWAPS, MOST_RESENDS, RESEND_PAUSE = 2, 3, timedelta(days=1)
LONGEST_WORDS, LONGEST_NAME = 2_000, 100
FIRST_YEAR = 1940

RELATIONS = {
    REFEREE: {
        "supervisor": "supervisor or head of the group",
        "colleague": "colleague",
        "collaborator": "co-author or collaborator",
        "teacher": "teacher",
        "other": "another relation",
    },
    INSTITUTION: {
        "research_office": "research office",
        "head": "head of an institute or department",
        "legal": "legal office or administration",
        "other": "another office that may sign",
    },
}


@dataclass(frozen=True)
class Need:
    """Somebody who must vouch, and why."""

    kind: str
    why: str


def needed(stage: str, answers: Answers, tier: int) -> tuple[Need, ...]:
    """Return who must vouch for an application: by its tier, by the kind of grant, by what is asked for."""
    found = []
    if tier >= REFEREE_FROM_TIER:
        found.append(Need(REFEREE, f"From tier {REFEREE_FROM_TIER} a referee must know the applicant's work."))
    if kind_of_grant(stage) == "partner":
        label = stage_of(stage).label
        found.append(Need(INSTITUTION, f"At the stage {label} a partner grant is given: the institution must answer."))
    elif "weights" in answers.functions:
        found.append(Need(INSTITUTION, "Weights are asked for: the institution must answer for their keeping."))
    return tuple(found)


# --- What counts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Voucher:
    """What is known of one attestation at some time.

    Args:
        kind: referee or institution.
        state: its state at that time.
        is_current: whether what was confirmed is what the application says now.
        valid_until: until when a confirmation lives.
        expires_at: until when an answer is waited for.
        is_on_team: whether the person has become a member of the application's team.
    """

    kind: str
    state: str
    is_current: bool = False
    valid_until: datetime | None = None
    expires_at: datetime | None = None
    is_on_team: bool = False


def counts(voucher: Voucher, at: datetime) -> bool:
    """Return whether an attestation is a confirmation that holds now, of what the application says now."""
    lives = voucher.valid_until is not None and at < voucher.valid_until
    return voucher.state == CONFIRMED and voucher.is_current and lives and not voucher.is_on_team


def enough(name: str, needs: Iterable[Need], vouchers: Iterable[Voucher], at: datetime) -> Decision:
    """Decide whether everybody who must vouch has confirmed.

    Args:
        name: the command that is asked for.
        needs: who must vouch.
        vouchers: the latest attestation of each kind.
        at: the time of asking.
    """
    latest = {one.kind: one for one in vouchers}
    rule = f"application: {name}"
    for need in needs:
        found = latest.get(need.kind)
        if found is None or not counts(found, at):
            reason = f"{need.why} {_standing(LABELS[need.kind], found)}"
            return not_now("attestation_missing", reason, rule, _change(found))
    return allow("attested", "Everybody who must vouch has confirmed.", rule)


def _standing(label: str, found: Voucher | None) -> str:
    if found is None or found.state == NAMED:
        return f"No {label} was asked yet."
    if found.state == CONFIRMED:
        what = "it lived 12 months" if found.is_current else "the answers changed since"
        what = "the person is on the team now" if found.is_on_team else what
        return f"The confirmation of the {label} no longer counts: {what}."
    sentences = {
        REQUESTED: "has not answered yet",
        OPENED: "has not answered yet",
        DECLINED: "declined",
        DISPUTED: "says that the request is not theirs",
        EXPIRED: "did not answer within 21 days",
        CANCELLED: "was not replaced after the request was cancelled",
    }
    return f"The {label} {sentences[found.state]}."


def _change(found: Voucher | None) -> str:
    if found is not None and found.state in LIVE and found.expires_at is not None:
        until = f"{found.expires_at:%d %B %Y}"
        return f"It changes when the person confirms, until {until}, or when the applicant names another who does."
    if found is not None and found.state == CONFIRMED:
        return "The applicant asks the same person again. You may refuse the application or ask about it."
    return "The applicant names another person who confirms. You may refuse the application or ask about it."


# --- The applicant's commands ----------------------------------------------------------------------------------------


def may_swap(swaps: int) -> Decision:
    """Decide whether another person may still be named."""
    rule = "attestation: swap"
    if swaps >= MOST_SWAPS:
        reason = f"You have named another person {MOST_SWAPS} times already."
        change = "Withdraw the application and apply again when you know who vouches for you."
        return not_now("swaps_used", reason, rule, change)
    return allow("swap_left", f"{MOST_SWAPS - swaps} of {MOST_SWAPS} swaps are left.", rule)


def may_resend(resent: int, mailed_at: datetime, at: datetime) -> Decision:
    """Decide whether the link may be mailed again: a few times, and not twice a day."""
    rule = "attestation: resend"
    if resent >= MOST_RESENDS:
        reason = f"The link was mailed again {MOST_RESENDS} times."
        return not_now("resends_used", reason, rule, "Speak with the person, or name another.")
    if at < mailed_at + RESEND_PAUSE:
        reason = f"A mail went to this person on {mailed_at:%d %B %Y, %H:%M UTC}."
        return too_much("mailed_lately", reason, rule, "Wait a day between two mails.", mailed_at + RESEND_PAUSE)
    return allow("resend_left", "The link may be mailed again.", rule)


def may_ask_again(voucher: Voucher, at: datetime) -> Decision:
    """Decide whether somebody who confirmed may be asked anew: only when their confirmation no longer counts."""
    rule = "attestation: again"
    if counts(voucher, at):
        return not_now("counts", "This confirmation counts.", rule, "Nothing needs to be done.")
    return allow("no_longer_counts", "The confirmation no longer counts.", rule)


def reminder_due(asked_at: datetime, reminded: int, at: datetime) -> int:
    """Return after how many days a reminder is due now that was not sent; 0 when none is. Only the latest counts."""
    due = [one.days for one in REMINDERS if at >= asked_at + one]
    return max(due, default=0) if max(due, default=0) > reminded else 0


# --- Who must not decide ---------------------------------------------------------------------------------------------


def not_attester(name: str, is_attester: bool) -> Decision:
    """Decide whether somebody may decide on an application for which they are asked to vouch, or did."""
    rule = f"application: {name}"
    if is_attester:
        reason = "You are named as somebody who vouches for this application."
        change = "Somebody who does not vouch for it decides; a role that you were given later changes nothing."
        return may_not("attester", reason, rule, change)
    return allow("not_attester", "You do not vouch for this application.", rule)
