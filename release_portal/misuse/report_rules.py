"""The states of a misuse report, who may decide on it, and what an action must rest on (pure)."""

from __future__ import annotations

from enum import StrEnum

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command

RECEIVED, NEEDS_INFO, TRIAGED = "received", "needs_info", "triaged"
DECLINED, DUPLICATE, CLOSED = "declined", "duplicate", "closed"
OPEN_STATES = (RECEIVED, NEEDS_INFO, TRIAGED)

TRIAGE_ROLES = ("safety_reviewer", "duty_officer")
_BY = " ".join(TRIAGE_ROLES)

REPORT = Lifecycle(
    "report",
    (RECEIVED, NEEDS_INFO, TRIAGED, DECLINED, DUPLICATE, CLOSED),
    (
        command("accept", "received needs_info triaged", TRIAGED, _BY, "severity and category; again when they change"),
        command("decline", "received needs_info", DECLINED, _BY, "a reason code; the reporter reads it"),
        command("merge", "received needs_info", DUPLICATE, _BY, "into an open report that is no duplicate itself"),
        command("ask", "received", NEEDS_INFO, _BY, "a question to the reporter; the clock pauses"),
        command("answer", "needs_info", RECEIVED, "reporter", "by code"),
        command("write", "received needs_info triaged", None, f"{_BY} reporter", "a message"),
        command("act", "triaged", None, _BY, "suspend a grant, hold a size, stop its use"),
        command("close", "triaged", CLOSED, _BY, "an outcome for the reporter; ends the hold that the case raised"),
    ),
)


class Verdict(StrEnum):
    """What triage may find; each is a command of the lifecycle."""

    ACCEPT = "accept"
    DECLINE = "decline"
    MERGE = "merge"


class ActionKind(StrEnum):
    """What staff may do on an accepted report."""

    SUSPEND_GRANT = "suspend_grant"
    HOLD_SIZE = "hold_size"
    STOP_SIZE = "stop_size"


# Why a report is declined, in the words that the reporter reads.
DECLINE_REASONS: dict[str, str] = {
    "NOT_OURS": "Nothing that we found connects this to a model that is served here.",
    "ALLOWED_USE": "What you describe is allowed by the terms of use.",
    "NOT_ENOUGH": "There was not enough to look into it. You can file a new report when you know more.",
    "OUT_OF_SCOPE": "This is not about misuse of a model, so this desk cannot decide on it.",
    "BASELESS": "We looked and found nothing that supports it.",
}

# How a case ended. Where a text came from and whether rules were broken are two questions.
OUTCOMES: dict[str, str] = {
    "CONFIRMED_OURS": "Confirmed: it came from a model served here.",
    "CONFIRMED_OTHER_MODEL": "It came from another model.",
    "CONFIRMED_HUMAN": "It was written by a person.",
    "MISUSE_ORIGIN_UNKNOWN": "It is misuse; where the text came from could not be settled.",
    "LEGITIMATE": "It was legitimate use.",
    "NO_BREACH": "No rule was broken.",
    "UNDETERMINED": "It could not be settled.",
    "WITHDRAWN": "The report was withdrawn.",
}


def may_decide(name: str, actor: Actor, state: str, *, is_reporter: bool, is_subject: bool) -> Decision:
    """Decide whether the actor may give a command on a report.

    Args:
        name: command of the lifecycle.
        actor: who asks; a token never decides.
        state: state of the report.
        is_reporter: the actor filed this report.
        is_subject: the report is about work under the actor's own account or grant.
    """
    rule = f"report: {name}"
    if is_subject:
        return may_not("subject", "This report is about your own use.", rule, "Another officer decides on it.")
    if is_reporter:
        return may_not("own_report", "You filed this report yourself.", rule, "Another officer decides on it.")
    return REPORT.decide(name, state, frozenset() if actor.scopes is not None else actor.roles)


def may_merge(report_id: int, target_id: int, target_state: str) -> Decision:
    """Decide whether a report may be merged into another: chains and loops cannot arise."""
    rule = "report: merge"
    if report_id == target_id:
        return not_now("self", "A report is no duplicate of itself.", rule, "Give the number of another report.")
    if target_state == DUPLICATE:
        return not_now("chain", "That report is a duplicate itself.", rule, "Give the number of the one it points to.")
    if target_state not in (*OPEN_STATES, CLOSED):
        return not_now("declined", "That report was declined.", rule, "Decline this one with a reason of its own.")
    return allow("merge", "The reporter follows the other report.", rule)


def has_ground(*, is_recorded: bool, finding: str) -> Decision:
    """Decide whether an action rests on something: the record of generations, or what a person found.

    A detector's score is neither.
    """
    rule = "report: ground of an action"
    if is_recorded or finding.strip():
        return allow("ground", "There is a match in the record, or a written finding.", rule)
    return not_now(
        "no_ground",
        "A detector score alone is no ground for an action.",
        rule,
        "Name a match in the record, or write what a person found.",
    )
