"""Cohorts: the states, the commands, what can be asked for, and how long one goes on without a lead (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from release_portal.access.application_rules import Problem, latest_end
from release_portal.core.decisions import Decision, allow, not_now
from release_portal.core.lifecycle import Lifecycle, command

NEW = "new"
PROPOSED, ACTIVE, PAUSED, CLOSED = "proposed", "active", "paused", "closed"
STATES = (PROPOSED, ACTIVE, PAUSED, CLOSED)
RUNNING = frozenset({ACTIVE, PAUSED})

COHORT = Lifecycle(
    "cohort",
    (NEW, *STATES),
    (
        command("ask", "new proposed", PROPOSED, "applicant", "on a draft: lab or class, seats, first and last day"),
        command("drop", "proposed", CLOSED, "applicant", "on a draft: the applicant works without a cohort"),
        command(
            "open",
            "proposed",
            ACTIVE,
            "access_lead partner_lead safety_reviewer",
            "with the approval of the application; seats and end are fixed then",
        ),
        command("name", "active paused", None, "lead access_lead partner_lead", "a deputy, who is a member"),
        command("hand", "active", None, "lead", "the lead leaves; without another, nothing new starts after 14 days"),
        command("lose", "active", None, "system", "the lead lost the account; the same 14 days"),
        command("pause", "active", PAUSED, "system", "14 days without a lead; also checked at every use"),
        command("take", "active paused", ACTIVE, "deputy", "the deputy leads, once there is no lead; nothing widens"),
        command("close", "active paused", CLOSED, "lead system", "by the lead, or when the end is reached"),
    ),
)

LAB, CLASS = "lab", "class"
KINDS: dict[str, str] = {
    LAB: "a lab: people who work on the same study",
    CLASS: "a class or workshop: people who learn together for a while",
}
FEWEST, MOST = 2, 200
# How long a cohort goes on without a lead.
WITHOUT_LEAD = timedelta(days=14)


@dataclass(frozen=True)
class Wish:
    """What an applicant asks for.

    Args:
        kind: lab or class.
        seats: how many people may use the grant, the lead among them.
        first_day, last_day: the time in which members may use it; the grant itself may end earlier.
    """

    kind: str
    seats: int
    first_day: date | None
    last_day: date | None


def wish_problems(wish: Wish, *, used: int, at: datetime) -> list[Problem]:
    """Return what is wrong with a wish; `used` seats are taken already."""
    problems = []
    if wish.kind not in KINDS:
        problems.append(Problem("kind", "Choose: a lab, or a class."))
    if not FEWEST <= wish.seats <= MOST:
        problems.append(Problem("seats", f"Choose a number of seats from {FEWEST} to {MOST}, yourself among them."))
    elif wish.seats < used:
        problems.append(Problem("seats", f"{used} seats are taken, yours among them; take some back first."))
    return problems + day_problems(wish, at)


def given_problems(asked: int | None, given: int | None) -> list[Problem]:
    """Return what is wrong with the seats that an approval gives: fewer than asked for perhaps, never more."""
    if given is None:
        return []
    if asked is None:
        return [Problem("seats", "No cohort is asked for, so no seats are given.")]
    if not FEWEST <= given <= asked:
        return [Problem("seats", f"Choose a number of seats from {FEWEST} to {asked}: what was asked for, or fewer.")]
    return []


def day_problems(wish: Wish, at: datetime) -> list[Problem]:
    """Return what is wrong with the days of a wish as they stand now."""
    if wish.last_day is None:
        return [Problem("last_day", "Say on which day the cohort ends.")]
    if wish.last_day <= at.date():
        return [Problem("last_day", "The last day must lie in the future.")]
    if wish.last_day > latest_end(at):
        return [Problem("last_day", f"The last day can be {latest_end(at):%d %B %Y} at the latest.")]
    if wish.first_day is not None and wish.first_day > wish.last_day:
        return [Problem("first_day", "The first day must not lie after the last.")]
    return []


def pauses_at(without_lead_since: datetime | None) -> datetime | None:
    """Return when a cohort pauses for want of a lead; None while it has one."""
    return without_lead_since + WITHOUT_LEAD if without_lead_since else None


def decide_deputy(*, is_member: bool, is_lead: bool) -> Decision:
    """Decide whether somebody can be the deputy: a member who joined, and not the lead."""
    rule = "cohort: name"
    if is_lead or not is_member:
        change = "Choose somebody from the list of those who joined."
        return not_now("no_member", "A deputy is a member who joined and signed.", rule, change)
    return allow("member", "This member can stand in.", rule)


def decide_taking(*, has_lead: bool) -> Decision:
    """Decide whether the deputy may take over: only when nobody leads."""
    rule = "cohort: take"
    if has_lead:
        return not_now("has_lead", "This cohort has a lead.", rule, "The lead leaves first.")
    return allow("no_lead", "Nobody leads this cohort.", rule)


def decide_invite(state: str, *, has_lead: bool) -> Decision:
    """Decide whether anybody can be invited into a cohort as it stands."""
    rule = "seat: invite"
    if state != ACTIVE or not has_lead:
        reason = "This cohort has no lead." if not has_lead else f"This cohort is {state}."
        return not_now("cohort_state", reason, rule, "Invitations go out while a lead looks after the cohort.")
    return allow("active", "The cohort is active.", rule)
