"""The states of a grant, the commands between them, and what state a grant is in at a time (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.accounts.roles import STAFF_ROLES
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command

SCHEDULED, ACTIVE, SUSPENDED, EXPIRED = "scheduled", "active", "suspended", "expired"
SURRENDERED, REVOKED = "surrendered", "revoked"

# A grant always ends; renewal is a new decision.
LONGEST_DAYS = 366
# An unconfirmed suspension by one officer lapses after this time to what was granted before.
CONFIRM_WITHIN = timedelta(hours=72)

GRANT = Lifecycle(
    "grant",
    (SCHEDULED, ACTIVE, SUSPENDED, EXPIRED, SURRENDERED, REVOKED),
    (
        command("suspend", "active scheduled", SUSPENDED, "duty_officer", "one officer; running work stops"),
        command("confirm", "suspended", SUSPENDED, "duty_officer", "another officer than the one who suspended"),
        command("lift", "suspended", ACTIVE, "duty_officer", "another officer than the one who suspended"),
        command("lapse", "suspended", ACTIVE, "system", "72 hours without confirmation"),
        command("expire", "active scheduled suspended", EXPIRED, "system", "the end is reached; also checked at use"),
        command(
            "renew", "active scheduled", None, "access_lead partner_lead", "an approved application; from the old end"
        ),
        command(
            "propose",
            "active scheduled suspended",
            SUSPENDED,
            "access_lead partner_lead",
            "a revocation, with a coded reason; suspended until a second person confirms, else it lapses",
        ),
        command("revoke", "suspended", REVOKED, "access_lead partner_lead", "another person than the one who proposed"),
        command("reinstate", "suspended expired revoked", ACTIVE, "appeal", "an appeal was right; lost time is added"),
        command("surrender", "active scheduled suspended", SURRENDERED, "holder", "the holder gives it up"),
    ),
)


def may_read_every_grant(actor: Actor) -> Decision:
    """Decide whether the actor reads what everybody holds; what one holds oneself one reads without asking."""
    rule = "grant: read all"
    if actor.has_role(*STAFF_ROLES):
        return allow("staff", "Staff read what everybody holds.", rule)
    return may_not("role", "Every grant is read by staff.", rule, "Your own grants are listed for you.")


def decide_second_officer(name: str, *, is_same_officer: bool, is_confirmed: bool) -> Decision:
    """Decide what the lifecycle cannot see of confirming and lifting: another officer, and only once.

    Args:
        name: command, `confirm` or `lift`.
        is_same_officer: the asker is the one who suspended.
        is_confirmed: a second officer has confirmed already.
    """
    rule = f"grant: {name}"
    if is_same_officer:
        reason = f"You suspended this grant; another officer must {name} it."
        return may_not("same_officer", reason, rule, "Ask another duty officer.")
    if name == "confirm" and is_confirmed:
        return not_now("confirmed", "The suspension is already confirmed.", rule, "Nothing is left to do.")
    return allow("second_officer", "Another officer than the one who suspended.", rule)


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
    """

    id: str
    state: str
    kind: str
    functions: frozenset[str]
    starts_at: datetime
    ends_at: datetime
    suspended_reason: str = ""


def state_at(grant: GrantFacts, at: datetime) -> str:
    """Return the state that counts at that time; an end holds even if nobody has swept it up."""
    if grant.state in (EXPIRED, SURRENDERED, REVOKED):
        return grant.state
    if at >= grant.ends_at:
        return EXPIRED
    if grant.state == SUSPENDED:
        return SUSPENDED
    return ACTIVE if at >= grant.starts_at else SCHEDULED
