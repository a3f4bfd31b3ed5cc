"""Comment windows, comments and external reviews: who may do what, and how long each must last (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now, too_much
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.core.workdays import add_working_time, working_days
from release_portal.releases.preparation_rules import instant, written
from release_portal.releases.proposal_rules import NEW, relations

LONGEST_COMMENT = 5_000
LONGEST_NAME = 150
LONGEST_REPORT = 50_000
LONGEST_TEXT = 20_000

# --- Windows ---------------------------------------------------------------------------------------------------------

RUNNING, CLOSED = "open", "closed"

WINDOW = Lifecycle(
    "window",
    (NEW, RUNNING, CLOSED),
    (
        command(
            "open", "new", RUNNING, "release_manager", "before the lock; one of a kind; not shorter than the policy"
        ),
        command("close", "open", CLOSED, "system", "at its end; nothing runs"),
    ),
)


def may_open_window(actor: Actor, kinds: Sequence[str], kind: str) -> Decision:
    """Decide whether the actor may open a window of this kind beside those that the proposal has."""
    decision = WINDOW.decide("open", NEW, relations(actor))
    if decision and kind in kinds:
        change = "A new proposal can have another."
        return not_now("window", f"This proposal has its {kind} window already.", "window: open", change)
    return decision


def window_problem(closes_at: datetime, at: datetime, shortest: timedelta) -> str:
    """Return why a window that opens now cannot close then; empty when it can."""
    earliest = instant(at) + shortest
    if instant(closes_at) >= earliest:
        return ""
    return f"The policy asks for at least {shortest.days} days: until {written(earliest)} or later."


# --- Comments --------------------------------------------------------------------------------------------------------

WAITING, ANSWERED, HIDDEN = "waiting", "answered", "hidden"
HOUR = timedelta(hours=1)
MOST_BY_ACCOUNT = 5
MOST_ANONYMOUS = 60  # by all visitors who are not signed in together, for one proposal

COMMENT = Lifecycle(
    "comment",
    (NEW, WAITING, ANSWERED, HIDDEN),
    (
        command("add", "new", WAITING, "reader", "whoever may see the size, while the window is open"),
        command("answer", "waiting", ANSWERED, "release_manager", "an objection that nobody answers blocks"),
        command("hide", "waiting answered", HIDDEN, "safety_reviewer", "with a reason that everybody reads"),
    ),
)


def may_comment(actor: Actor, *, is_open: bool, recent: Sequence[datetime], at: datetime) -> Decision:
    """Decide whether the actor may comment now.

    Args:
        actor: who comments; whoever asks this has found that they may see the size.
        is_open: whether a comment window of the proposal is open.
        recent: when the last comments were written that count against the same limit.
        at: now.
    """
    rule = "comment: add"
    if actor.is_system or actor.scopes is not None:
        change = "Sign in on the web, or comment with your name."
        return may_not("token", "Comments are written by people themselves.", rule, change)
    if not is_open:
        return not_now("no_window", "No comment window is open.", rule, "The proposal's page says when one opens.")
    most = MOST_BY_ACCOUNT if actor.is_person else MOST_ANONYMOUS
    counted = sorted(time for time in map(instant, recent) if time > instant(at) - HOUR)
    if len(counted) >= most:
        again = counted[-most] + HOUR
        reason = f"At most {most} comments are taken in an hour."
        return too_much("comments", reason, rule, f"Try again after {written(again)}.", again)
    return allow("comment", "The comment window is open.", rule)


def name_problem(name: str) -> str:
    """Return why nobody can comment under this name; empty when somebody can."""
    if not name.strip():
        return "Write your name, or sign in."
    if len(name.strip()) > LONGEST_NAME:
        return f"It has {len(name.strip()):,} characters; at most {LONGEST_NAME} are kept."
    return "" if name.strip().isprintable() else "It holds a character that cannot be printed."


def text_problem(text: str, longest: int) -> str:
    """Return why a text cannot be kept; empty when it can."""
    if not text.strip():
        return "It is empty."
    if len(text) > longest:
        return f"It has {len(text):,} characters; at most {longest:,} are kept."
    return "" if is_text(text) else "It holds a character that is no text."


def is_text(text: str) -> bool:
    """Whether every character can be stored: no zero character, and no half of a pair of surrogates."""
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def comment_state(*, is_answered: bool, is_hidden: bool) -> str:
    """Return the state of a comment; a hidden one stays hidden."""
    if is_hidden:
        return HIDDEN
    return ANSWERED if is_answered else WAITING


def decide_comment(name: str, state: str, actor: Actor) -> Decision:
    """Decide whether the actor may answer or hide a comment."""
    return COMMENT.decide(name, state, relations(actor))


# --- External reviews ------------------------------------------------------------------------------------------------

INVITED, ACCEPTED, DEPOSITED = "invited", "accepted", "deposited"
REVIEWER_ROLE = "external_reviewer"

EXTERNAL_REVIEW = Lifecycle(
    "review",
    (NEW, INVITED, ACCEPTED, DEPOSITED),
    (
        command(
            "invite", "new", INVITED, "release_manager", "before the lock; with terms, fee, edit rights and a date"
        ),
        command("accept", "invited", ACCEPTED, "reviewer", "the terms, by the person who was invited"),
        command("deposit", "accepted", DEPOSITED, "reviewer", "the report, never changed afterwards; before any vote"),
    ),
)


def may_invite(
    actor: Actor, reviewer_id: str, reviewer_roles: frozenset[str], invited_ids: Sequence[str], proposer_id: str
) -> Decision:
    """Decide whether the actor may invite this person to review a proposal: somebody who has no part in it."""
    rule = "review: invite"
    decision = EXTERNAL_REVIEW.decide("invite", NEW, relations(actor))
    if not decision:
        return decision
    if REVIEWER_ROLE not in reviewer_roles:
        change = "An administrator gives the role; then invite them."
        return not_now("no_reviewer", "This person is no external reviewer.", rule, change)
    if reviewer_id in (actor.id, proposer_id):
        reason = "Neither the proposer nor whoever invites is an external reviewer of the proposal."
        return may_not("own_review", reason, rule, "Invite somebody from outside.")
    if reviewer_id in invited_ids:
        return not_now("invited", "This person is invited already.", rule, "Nothing is left to do.")
    return decision


def decide_review(name: str, state: str, actor: Actor, reviewer_id: str) -> Decision:
    """Decide whether the actor may accept the terms or deposit the report: the invited reviewer only."""
    is_reviewer = actor.is_person and actor.id == reviewer_id and actor.scopes is None
    return EXTERNAL_REVIEW.decide(name, state, {"reviewer"} if is_reviewer and actor.has_role(REVIEWER_ROLE) else ())


def earliest_due(at: datetime, days: int) -> datetime:
    """Return the earliest time for which a report may be asked, so many working days from now; none: now."""
    return add_working_time(instant(at), working_days(days)) if days else instant(at)  # even on a Sunday


def due_problem(due_at: datetime, at: datetime, days: int) -> str:
    """Return why a report cannot be due then; empty when it can."""
    earliest = earliest_due(at, days)
    if instant(due_at) >= earliest:
        return ""
    return f"The policy gives a reviewer at least {days} working days: until {written(earliest)} or later."


def review_state(*, is_accepted: bool, is_deposited: bool) -> str:
    """Return the state of an external review."""
    if is_deposited:
        return DEPOSITED
    return ACCEPTED if is_accepted else INVITED
