"""The states of a grant, the commands between them, and what state a grant is in at a time (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.accounts.roles import STAFF_ROLES
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command

SCHEDULED, ACTIVE, PAUSED, SUSPENDED, EXPIRED = "scheduled", "active", "paused", "suspended", "expired"
SURRENDERED, REVOKED, CLOSED = "surrendered", "revoked", "closed"
# From these no time leads anywhere.
ENDED_STATES = frozenset({EXPIRED, SURRENDERED, REVOKED, CLOSED})

# A grant always ends; renewal is a new decision.
LONGEST_DAYS = 366
# An unconfirmed suspension by one officer lapses after this time to what was granted before.
CONFIRM_WITHIN = timedelta(hours=72)

GRANT = Lifecycle(
    "grant",
    (SCHEDULED, ACTIVE, PAUSED, SUSPENDED, EXPIRED, SURRENDERED, REVOKED, CLOSED),
    (
        command("pause", "active", PAUSED, "system", "a duty of the holder is overdue; a rule at use"),
        command("resume", "paused", ACTIVE, "system", "the duty is done; at once, by the same rule"),
        command("suspend", "active scheduled paused", SUSPENDED, "duty_officer", "one officer; running work stops"),
        command("confirm", "suspended", SUSPENDED, "duty_officer", "another officer than the one who suspended"),
        command("lift", "suspended", ACTIVE, "duty_officer", "another officer than the one who suspended"),
        command("lapse", "suspended", ACTIVE, "system", "72 hours without confirmation"),
        command(
            "expire",
            "active scheduled paused suspended",
            EXPIRED,
            "system",
            "the end is reached; also checked at use",
        ),
        command(
            "renew",
            "active scheduled paused",
            None,
            "access_lead partner_lead safety_reviewer system",  # whoever may give the last voice on an application
            "an approved application, carried out when its terms are accepted; from the old end",
        ),
        command("engage", "active scheduled paused", None, "access_lead partner_lead", "writes rules of engagement"),
        command(
            "agree", "active scheduled paused", None, "safety_reviewer", "to them, not who wrote them; then they hold"
        ),
        command(
            "disengage",
            "active scheduled paused suspended",
            None,
            "access_lead partner_lead safety_reviewer",
            "ends them, with a reason",
        ),
        command("amend", "active scheduled paused suspended", None, "access_lead partner_lead", "offers other terms"),
        command("answer_terms", "active scheduled paused suspended", None, "holder", "accepts or declines them"),
        command(
            "propose",
            "active scheduled paused suspended",
            SUSPENDED,
            "access_lead partner_lead",
            "a revocation, with a coded reason; suspended until a second person confirms, else it lapses",
        ),
        command("revoke", "suspended", REVOKED, "access_lead partner_lead", "another person than the one who proposed"),
        command(
            "reinstate", "suspended expired revoked closed", ACTIVE, "appeal", "an appeal was right; lost time is added"
        ),
        command("surrender", "active scheduled paused suspended", SURRENDERED, "holder", "the holder gives it up"),
        command("report", "expired surrendered revoked", None, "holder", "what came of it, and what became of copies"),
        command("close", "expired surrendered revoked", CLOSED, "access_lead partner_lead", "the report was looked at"),
        command(
            "restrict", "active scheduled paused", None, "duty_officer access_lead partner_lead", "one; only narrower"
        ),
    ),
)


def may_read_every_grant(actor: Actor) -> Decision:
    """Decide whether the actor reads what everybody holds; what one holds oneself one reads without asking."""
    rule = "grant: read all"
    if actor.has_role(*STAFF_ROLES):
        return allow("staff", "Staff read what everybody holds.", rule)
    return may_not("role", "Every grant is read by staff.", rule, "Your own grants are listed for you.")


def decide_second_officer(name: str, *, is_same_officer: bool, is_confirmed: bool, kind: str = "grant") -> Decision:
    """Decide what the lifecycle cannot see of confirming and lifting: another officer, and only once.

    Args:
        name: command, `confirm` or `lift`.
        is_same_officer: the asker is the one who suspended.
        is_confirmed: a second officer has confirmed already.
        kind: what is suspended: a grant, or one seat of it.
    """
    rule = f"{kind}: {name}"
    if is_same_officer:
        reason = f"You suspended this {kind}; another officer must {name} it."
        return may_not("same_officer", reason, rule, "Ask another duty officer.")
    if name == "confirm" and is_confirmed:
        return not_now("confirmed", "The suspension is already confirmed.", rule, "Nothing is left to do.")
    return allow("second_officer", "Another officer than the one who suspended.", rule)


def decide_surrender(*, has_cohort: bool) -> Decision:
    """Decide what the lifecycle cannot see of giving up: others may work with the grant."""
    rule = "grant: surrender"
    if has_cohort:
        reason = "A cohort works with this grant; it is not ended over its members' heads."
        return not_now("cohort", reason, rule, "Hand the cohort over, or close it, which tells every member.")
    return allow("alone", "No cohort works with this grant.", rule)


# What a row can hold: paused is never written, so that doing the duty is enough to end it.
STORED = tuple(state for state in GRANT.states if state != PAUSED)


@dataclass(frozen=True)
class Pause:
    """Why a grant rests until somebody does what is due; nothing of it is lost.

    Args:
        code: stable slug.
        reason: sentence for people.
        change: what ends it.
    """

    code: str
    reason: str
    change: str


@dataclass(frozen=True)
class GrantFacts:
    """What the policy needs to know of one grant.

    Args:
        id: public id.
        state: as stored.
        kind: "research" or "partner".
        functions: what may be done: generate, detect, weights.
        starts_at, ends_at: the grant holds from the first to just before the second.
        suspended_reason: what the holder is told.
        pauses_at: from then on nothing new starts, since nobody leads the cohort.
        seat_id: the seat through which it is used; 0 for the holder of a grant without a cohort.
        pauses: what rests the grant for the asker.
    """

    id: str
    state: str
    kind: str
    functions: frozenset[str]
    starts_at: datetime
    ends_at: datetime
    suspended_reason: str = ""
    pauses_at: datetime | None = None
    seat_id: int = 0
    pauses: tuple[Pause, ...] = ()


def state_at(grant: GrantFacts, at: datetime) -> str:
    """Return the state that counts at that time; an end holds even if nobody has swept it up."""
    if grant.state in ENDED_STATES:
        return grant.state
    if at >= grant.ends_at:
        return EXPIRED
    if grant.state == SUSPENDED:
        return SUSPENDED
    if at < grant.starts_at:
        return SCHEDULED
    has_no_lead = grant.pauses_at is not None and at >= grant.pauses_at
    return PAUSED if grant.pauses or has_no_lead or grant.state == PAUSED else ACTIVE
