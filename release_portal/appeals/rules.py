"""Appeals: the commands, who may decide, until when one may be filed, and how long the answer may take (pure)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from release_portal.accounts.roles import Role
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.core.workdays import add_working_time, working_days

# Before it is filed there is nothing: the matrix shows that as a state, no row ever stands in it.
NEW = "new"
FILED, ACCEPTED, INADMISSIBLE = "filed", "accepted", "inadmissible"
ASSIGNED, INFO = "assigned", "info"
UPHELD, PARTLY, OVERTURNED = "upheld", "partly", "overturned"
EXECUTED, CLOSED = "executed", "closed"
STATES = (FILED, ACCEPTED, INADMISSIBLE, ASSIGNED, INFO, UPHELD, PARTLY, OVERTURNED, EXECUTED, CLOSED)
ENDED = frozenset({INADMISSIBLE, CLOSED})

REFUSAL, SUSPENSION, REVOCATION = "refusal", "suspension", "revocation"
KINDS = (REFUSAL, SUSPENSION, REVOCATION)

# A token with it files and follows its owner's appeals; none decides.
WRITE_SCOPE = "appeals:write"
# An administrator gives roles and therefore decides on nothing.
DECIDERS = (Role.ACCESS_LEAD.value, Role.PARTNER_LEAD.value, Role.SAFETY_REVIEWER.value)
_BY = " ".join(DECIDERS)

APPEAL = Lifecycle(
    "appeal",
    (NEW, *STATES),
    (
        command("file", "new", FILED, "appellant", "signed in or by the mailed link; once for each decision"),
        command("accept", "filed", ACCEPTED, _BY, "nobody who took part in the decision"),
        command("dismiss", "filed", INADMISSIBLE, _BY, "with a coded reason; it may be filed again in time"),
        command("assign", "accepted assigned", ASSIGNED, _BY, "to somebody who took no part in the decision"),
        command("ask", "assigned", INFO, "assignee", "a question to the appellant"),
        command("answer", "info", ASSIGNED, "appellant"),
        command("uphold", "assigned info", UPHELD, "assignee", "with a reason; the decision stands"),
        command("partly", "assigned info", PARTLY, "assignee", "with a reason; restored without the lost time"),
        command("overturn", "assigned info", OVERTURNED, "assignee", "with a reason; restored with the lost time"),
        command("execute", "partly overturned", EXECUTED, _BY, "the outcome is carried out, or nothing changes"),
        command("close", "upheld executed", CLOSED, _BY, "everything that was decided is done"),
    ),
)
OUTCOMES = {"uphold": UPHELD, "partly": PARTLY, "overturn": OVERTURNED}

# Why an appeal is inadmissible, in the words that the appellant reads.
INADMISSIBLE_REASONS: dict[str, str] = {
    "no_grounds": "It does not say what is wrong with the decision.",
    "other_matter": "It is about something that this decision did not decide.",
    "settled": "What it asks for has happened already.",
}

# Six months at their longest, counted from the delivery of the notice.
WINDOW = timedelta(days=184)
ANSWER_WITHIN = working_days(20)
PAUSE_ANSWER_WITHIN = timedelta(hours=48)
LONGEST_TEXT = 5_000


def outcomes_of(kind: str) -> tuple[str, ...]:
    """Return the commands by which an appeal of this kind is decided; a refusal has no lost time to keep back."""
    return ("uphold", "overturn") if kind == REFUSAL else tuple(OUTCOMES)


def window_ends(delivered_at: datetime | None) -> datetime | None:
    """Return until when one may appeal; a notice that never arrived starts no clock."""
    return delivered_at + WINDOW if delivered_at is not None else None


def may_file(delivered_at: datetime | None, at: datetime) -> Decision:
    """Decide whether an appeal is in time."""
    rule, ends_at = "appeal: window", window_ends(delivered_at)
    if ends_at is None or at < ends_at:
        return allow("in_time", "The appeal is in time.", rule)
    reason = f"An appeal was possible until {ends_at:%d %B %Y}, six months after the notice was delivered."
    return not_now("too_late", reason, rule, "Apply for access anew.")


def due_after(kind: str, filed_at: datetime) -> datetime:
    """Return when the answer is promised: access that is paused is looked at within two days."""
    if kind == SUSPENSION:
        return filed_at + PAUSE_ANSWER_WITHIN
    return add_working_time(filed_at, ANSWER_WITHIN)


def relations(actor: Actor, appellant_id: str, assigned_id: str, decided_by: Collection[str]) -> frozenset[str]:
    """Return the roles and relations under which the lifecycle knows this actor; a token never decides."""
    if not actor.is_person:
        return frozenset()
    if actor.id == appellant_id:
        return frozenset({"appellant"} if acts_for_itself(actor) else ())
    if actor.scopes is not None or actor.id in decided_by or not actor.has_role(*DECIDERS):
        return frozenset()
    assignee = {"assignee"} if actor.id == assigned_id else set()
    return frozenset(actor.roles.intersection(DECIDERS) | assignee)


def acts_for_itself(actor: Actor) -> bool:
    """Whether the actor may appeal in its own name: signed in, or by a token with the scope."""
    return actor.is_person and (actor.scopes is None or WRITE_SCOPE in actor.scopes)


def decide_command(
    name: str, state: str, actor: Actor, *, appellant_id: str, assigned_id: str, decided_by: Collection[str]
) -> Decision:
    """Decide whether the actor may give a command: never who took part in the decision, never the appellant."""
    rule, is_staff_act = f"appeal: {name}", "appellant" not in APPEAL.command(name).by
    if is_staff_act and actor.scopes is None and actor.has_role(*DECIDERS):
        if actor.id == appellant_id:
            return may_not("own_appeal", "This is your own appeal.", rule, "Somebody else decides on it.")
        if actor.id in decided_by:
            reason = "You took part in the decision that is appealed."
            return may_not("took_part", reason, rule, "Somebody who took no part decides on it.")
    return APPEAL.decide(name, state, relations(actor, appellant_id, assigned_id, decided_by))
