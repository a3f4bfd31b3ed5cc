"""The states of a seat, the commands between them, and what of a grant a member may use (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from release_portal.access.grant_rules import ACTIVE, EXPIRED, SCHEDULED, SUSPENDED, GrantFacts
from release_portal.core.decisions import Decision, allow, may_not, not_now, too_much
from release_portal.core.lifecycle import Lifecycle, command

NEW = "new"
INVITED, JOINED, LEFT, REMOVED, DECLINED = "invited", "joined", "left", "removed", "declined"
# `suspended` and `expired` are the words that grants have for the same.
STATES = (INVITED, JOINED, SUSPENDED, LEFT, REMOVED, DECLINED, EXPIRED)
# A seat in one of these is taken; of an invitation only until its time is up.
TAKEN = frozenset({INVITED, JOINED, SUSPENDED})
SEATED = frozenset({JOINED, SUSPENDED})

SEAT = Lifecycle(
    "seat",
    (NEW, *STATES),
    (
        command("invite", "new", INVITED, "lead", "by mail, while a seat is free; nobody holds two on one grant"),
        command(
            "join",
            "invited",
            JOINED,
            "invitee",
            "within 21 days, with an account whose verified mail is the invited one; signs the agreement in force",
        ),
        command("decline", "invited", DECLINED, "invitee link", "whoever holds the link may say no, without account"),
        command("undo", "invited", REMOVED, "lead", "the link opens nothing any more"),
        command("leave", "joined suspended", LEFT, "member", "work that the seat permitted stops"),
        command("remove", "joined suspended", REMOVED, "lead", "with a reason that the member reads; not oneself"),
        command("suspend", "joined", SUSPENDED, "duty_officer", "one officer; only this member's work stops"),
        command("confirm", "suspended", SUSPENDED, "duty_officer", "another officer than the one who suspended"),
        command("lift", "suspended", JOINED, "duty_officer", "another officer than the one who suspended"),
        command("lapse", "suspended", JOINED, "system", "72 hours without confirmation"),
        command("reinstate", "suspended", JOINED, "appeal", "an appeal was right"),
        command(
            "expire", "invited joined suspended", EXPIRED, "system", "the end is reached; also checked at every use"
        ),
    ),
)

INVITATION = timedelta(days=21)
# Named people of an application without a cohort: each of them is reviewed.
MOST_NAMED = 10
# One person sends no more invitations within a day, whatever they are for.
MOST_A_DAY = 200
LONGEST_MAIL, LONGEST_AFFILIATION, LONGEST_REASON = 254, 200, 2_000


@dataclass(frozen=True)
class SeatFacts:
    """What the policy needs to know of somebody's seat.

    Args:
        id: primary key; 0 for the holder of a grant without a cohort.
        state: as stored.
        starts_at, ends_at: the seat's own time, where it is narrower than the grant's.
        suspended_reason: what the member is told.
        pauses_at: when the cohort pauses for want of a lead, if it has none.
    """

    id: int
    state: str
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    suspended_reason: str = ""
    pauses_at: datetime | None = None


def through_seat(grant: GrantFacts, seat: SeatFacts) -> GrantFacts:
    """Return a grant as one member may use it: never longer, and never more, than the grant itself."""
    state, reason = grant.state, grant.suspended_reason
    if state in (ACTIVE, SCHEDULED) and seat.state in (SUSPENDED, EXPIRED):
        state, reason = seat.state, seat.suspended_reason
    return replace(
        grant,
        state=state,
        suspended_reason=reason,
        starts_at=max(one for one in (grant.starts_at, seat.starts_at) if one is not None),
        ends_at=min(one for one in (grant.ends_at, seat.ends_at) if one is not None),
        pauses_at=seat.pauses_at,
        seat_id=seat.id,
    )


def seat_state_at(state: str, ends_at: datetime | None, at: datetime) -> str:
    """Return the state of a seat that counts; its end, or that of its invitation, holds though nobody sweeps."""
    return EXPIRED if state in TAKEN and ends_at is not None and at >= ends_at else state


# --- Inviting --------------------------------------------------------------------------------------------------------


def decide_room(used: int, wanted: int, seats: int) -> Decision:
    """Decide whether so many more people fit."""
    rule = "seat: invite"
    if used + wanted > seats:
        free = max(seats - used, 0)
        reason = f"{used} of {seats} seats are taken; {wanted} more were asked for, {free} are free."
        change = "Invite fewer people, or take a seat back. The number of seats was fixed when access was approved."
        return not_now("no_seat", reason, rule, change)
    return allow("room", "A seat is free.", rule)


def decide_place(*, is_open: bool) -> Decision:
    """Decide whether people can be invited where a team stands now."""
    rule = "seat: invite"
    if is_open:
        return allow("open", "People can be invited now.", rule)
    change = "People are named while an application is a draft, and invited while a grant is in force."
    return not_now("state", "Nobody can be invited here now.", rule, change)


def decide_pace(sent: int, wanted: int, until: datetime) -> Decision:
    """Decide whether somebody may send so many invitations today."""
    rule = "seat: invite"
    if sent + wanted > MOST_A_DAY:
        reason = f"You sent {sent} invitations within a day; {MOST_A_DAY} are the most."
        return too_much("invitations", reason, rule, "Send the others later.", until)
    return allow("pace", "Few invitations were sent within a day.", rule)


def decide_named(mails: Iterable[str], named: Iterable[str]) -> Decision:
    """Decide whether these people may be invited to a grant without a cohort: they must have been reviewed."""
    rule = "seat: invite"
    strangers = sorted(set(mails) - set(named))
    if strangers:
        reason = f"{len(strangers)} of these addresses were not named in the application that was approved."
        change = "Those who were named can be invited again; name others in an application, or ask for a cohort."
        return not_now("not_named", reason, rule, change)
    return allow("named", "They were named in the application.", rule)


def read_mails(text: str) -> list[str]:
    """Return the addresses in a text, each once, small; blanks, commas and semicolons part them."""
    parts = text.replace(",", " ").replace(";", " ").split()
    return list(dict.fromkeys(part.strip("<>").casefold() for part in parts))


# --- Joining ---------------------------------------------------------------------------------------------------------


def decide_invitee(*, is_signed_in: bool, is_mail: bool, is_verified: bool) -> Decision:
    """Decide whether somebody is the one who was invited: their account has that address, and it is verified."""
    rule = "seat: join"
    if not is_signed_in:
        change = "Sign in, or sign up with the address that was invited; then open the link from the mail again."
        return may_not("sign_in", "To join you need an account of your own.", rule, change)
    if not is_mail:
        reason = "This invitation is for another address than that of your account."
        return may_not("other_mail", reason, rule, "Sign in with the account of the address that was invited.")
    if not is_verified:
        reason = "The address of your account is not verified yet."
        return may_not("mail_unverified", reason, rule, "Verify it on your account page, then open the link again.")
    return allow("invitee", "This is the account of the address that was invited.", rule)


def decide_open(*, is_open: bool) -> Decision:
    """Decide whether there is still something to join."""
    rule = "seat: join"
    if is_open:
        return allow("open", "What the seat is on is open.", rule)
    return not_now("over", "What this invitation was for is over.", rule, "Ask whoever invited you.")


def decide_second_seat(*, has_seat: bool, is_holder: bool, is_suspended: bool) -> Decision:
    """Decide whether a person may take a seat: one each, and no way around a suspension."""
    rule = "seat: join"
    if is_suspended:
        reason = "A seat of this person on this grant is suspended; a new one does not go around that."
        return not_now("suspended", reason, rule, "A duty officer can lift the suspension.")
    if has_seat or is_holder:
        return not_now("seated", "This person has a seat already.", rule, "Nothing is left to do.")
    return allow("no_seat_yet", "This person has no seat yet.", rule)


def decide_leaving(*, is_lead: bool) -> Decision:
    """Decide what the lifecycle cannot see of leaving: a cohort is handed over, never left alone by accident."""
    rule = "seat: leave"
    if is_lead:
        change = "Hand the cohort over, or close it, on the page of its team."
        return not_now("lead", "This is the seat of the lead.", rule, change)
    return allow("member", "A member may leave at any time.", rule)


def read_until(day: date | None, at: datetime) -> str:
    """Return what is wrong with the last day of a seat; empty when nothing is."""
    return "The last day must lie in the future." if day is not None and day <= at.date() else ""
