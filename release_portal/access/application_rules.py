"""Applications: who may apply, what is missing, the commands, and the clock of the decision (pure)."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from release_portal.access.grant_rules import LONGEST_DAYS
from release_portal.access.policy import GRANT_FUNCTIONS, POLICY_VERSION, TABLE, Action, Audience
from release_portal.access.purposes import PURPOSES
from release_portal.accounts.roles import STAFF_ROLES, Role
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.lifecycle import Lifecycle, command
from release_portal.core.workdays import add_working_time, working_days, working_time_between
from release_portal.releases.ladder import LADDER, stage_of

# Before the first save there is nothing: the matrix shows that as a state, no row ever stands in it.
NEW = "new"
DRAFT, SUBMITTED, NEEDS_INFO, SECOND_REVIEW = "draft", "submitted", "needs_info", "second_review"
PENDING_TERMS = "pending_terms"
GRANTED, REFUSED, WITHDRAWN, LAPSED = "granted", "refused", "withdrawn", "lapsed"
STATES = (DRAFT, SUBMITTED, NEEDS_INFO, SECOND_REVIEW, PENDING_TERMS, GRANTED, REFUSED, WITHDRAWN, LAPSED)
OPEN = frozenset({DRAFT, SUBMITTED, NEEDS_INFO, SECOND_REVIEW, PENDING_TERMS})
# In these states a person of ours acts next.
OURS = frozenset({SUBMITTED, SECOND_REVIEW})

_REVIEWERS = "access_lead partner_lead safety_reviewer"

APPLICATION = Lifecycle(
    "application",
    (NEW, *STATES),
    (
        command("start", "new", DRAFT, "applicant", "the stage takes applications; none is open for the same size"),
        command("save", "draft", None, "applicant", "at any time, complete or not"),
        command("submit", "draft", SUBMITTED, "applicant", "complete; the agreement in force is accepted"),
        command("attach", "draft submitted needs_info", None, "applicant", "a file; at most 5 of 10 MB each"),
        command("detach", "draft", None, "applicant", "what was sent stays with the application"),
        command("claim", "submitted second_review", None, _REVIEWERS, "not self; for 30 minutes, can be renewed"),
        command("advise", "submitted needs_info second_review", None, _REVIEWERS, "not self; counts for nothing"),
        command(
            "ask",
            "submitted second_review",
            NEEDS_INFO,
            _REVIEWERS,
            "not self; at fields or the whole; the clock rests; reviews given before count no more",
        ),
        command(
            "answer",
            "needs_info",
            SUBMITTED,
            "applicant",
            "every question; exactly the fields that were asked about may change; the clock goes on",
        ),
        command(
            "vote",
            "submitted second_review",
            SECOND_REVIEW,
            _REVIEWERS,
            "from tier 2: an approval or a refusal with which nobody agrees yet",
        ),
        command(
            "approve",
            "submitted second_review",
            GRANTED,
            _REVIEWERS,
            "not self, not the same lab; below tier 2 the lead of that kind of grant alone, from tier 2 the second "
            "person who approves; a grant is made or its end moves",
        ),
        command(
            "offer",
            "submitted second_review",
            PENDING_TERMS,
            _REVIEWERS,
            "an approval that adds terms; nothing is given before the applicant accepts them",
        ),
        command(
            "accept_terms",
            "pending_terms",
            GRANTED,
            "applicant",
            "terms as they were shown; stage, conditions and signature are checked again, then the grant is made",
        ),
        command(
            "refuse",
            "submitted second_review",
            REFUSED,
            _REVIEWERS,
            "as for approve; with a coded reason",
        ),
        command("reopen", "refused", SUBMITTED, "appeal", "the refusal was overturned; other people decide"),
        command(
            "withdraw",
            "draft submitted needs_info second_review pending_terms",
            WITHDRAWN,
            "applicant",
            "at any time before the decision, or before the terms are accepted",
        ),
        command(
            "lapse",
            "draft needs_info pending_terms",
            LAPSED,
            "system",
            "60 days without a save, or 30 without an answer or an acceptance",
        ),
    ),
)

# Who may read what was submitted, and who decides on which kind of grant.
REVIEWERS = (Role.ACCESS_LEAD.value, Role.PARTNER_LEAD.value, Role.SAFETY_REVIEWER.value)
DECIDERS = {"research": Role.ACCESS_LEAD.value, "partner": Role.PARTNER_LEAD.value}
WRITE_SCOPE = "applications:write"

# From this tier on two people must agree.
TWO_PEOPLE_FROM = 2
# Commands for which an application below that tier has one owner: the lead of its kind of grant.
OWNED = frozenset({"ask", "vote", "approve", "offer", "refuse", "claim"})
# Commands that nobody gives who belongs to the applicant's lab.
IMPARTIAL = frozenset({"vote", "approve", "offer", "refuse", "claim"})

WORKING_DAYS = {0: 5, 1: 5, 2: 10, 3: 20}
DRAFT_IDLE, QUESTION_IDLE = timedelta(days=60), timedelta(days=30)
# How long before an application lapses its applicant is told.
LAPSE_NOTICES = {
    DRAFT: (timedelta(days=14), timedelta(days=3)),
    NEEDS_INFO: (timedelta(days=16), timedelta(days=3)),
    PENDING_TERMS: (timedelta(days=14), timedelta(days=3)),
}

LONGEST_TEXT, LONGEST_LINE = 5_000, 200
WHEN = "%d %B %Y, %H:%M UTC"


@dataclass(frozen=True)
class Answers:
    """What an application says.

    Args:
        purpose_code: P01 to P15, or empty.
        purpose: the question that is studied.
        affiliation: where the applicant works.
        intended_use: what is done with the outputs, and who sees them.
        functions: what is wanted: generate, detect, weights.
        requested_end: last day of the grant.
        summary: what is studied and why, in plain words; published with the grant.
        summary_withheld: why the summary must not be published; empty where it may.
        more: answers to the programme's own questions, by their keys.
    """

    purpose_code: str = ""
    purpose: str = ""
    affiliation: str = ""
    intended_use: str = ""
    functions: tuple[str, ...] = ()
    requested_end: date | None = None
    summary: str = ""
    summary_withheld: str = ""
    more: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """Something that an application lacks or that it cannot say, at a field."""

    field: str
    reason: str


# --- Which sizes take applications -----------------------------------------------------------------------------------


def functions_open(stage: str) -> tuple[str, ...]:
    """Return what a grant can open at this stage: the functions that the policy gives to grant holders."""
    needs_grant = (Audience.GRANTEES, Audience.PARTNERS)
    return tuple(name for action, name in GRANT_FUNCTIONS.items() if TABLE[stage][action] in needs_grant)


def kind_of_grant(stage: str) -> str:
    """Return which kind of grant the stage asks for."""
    is_partner = any(TABLE[stage][action] is Audience.PARTNERS for action in GRANT_FUNCTIONS)
    return "partner" if is_partner else "research"


def may_apply(actor: Actor, stage: str) -> Decision:
    """Decide whether the actor may apply for access to a size at this stage; derived from the policy's table."""
    rule = f"policy {POLICY_VERSION}: stage {stage} x apply"
    if TABLE[stage][Action.VIEW] is Audience.STAFF and not actor.has_role(*STAFF_ROLES):
        return may_not("hidden", "The size is not disclosed.", rule, "", hide=True)
    if not functions_open(stage):
        return _no_application(stage, rule)
    if not actor.is_person:
        return may_not("sign_in", "To apply for access you need an account.", rule, "Sign in, or create an account.")
    if actor.scopes is not None and WRITE_SCOPE not in actor.scopes:
        change = f"Create a token with the scope {WRITE_SCOPE} on your account page."
        return may_not("scope", f"This token does not carry the scope {WRITE_SCOPE}.", rule, change)
    return allow("stage", f"The stage {stage_of(stage).label} takes applications.", rule)


def _no_application(stage: str, rule: str) -> Decision:
    here = stage_of(stage)
    wider = [other for other in LADDER if other.ordinal > here.ordinal and functions_open(other.slug)]
    if TABLE[stage][Action.GENERATE] is not Audience.NOBODY:
        reason = f"At the stage {here.label} no grant is needed. {here.audience}"
        return may_not("no_grant_needed", reason, rule, "Use the size; its page says how.")
    reason = f"At the stage {here.label} nobody can be given access. {here.audience}"
    return may_not("stage_closed", reason, rule, f"Applications open when the size reaches {wider[0].label}.")


# --- What an application says ----------------------------------------------------------------------------------------


def end_of(day: date) -> datetime:
    """Return when a grant ends whose last day this is."""
    return datetime.combine(day + timedelta(days=1), time.min, UTC)


def latest_end(at: datetime) -> date:
    """Return the last day that may be asked for now."""
    return (at + timedelta(days=LONGEST_DAYS)).date() - timedelta(days=1)


def unreadable(answers: Answers) -> list[Problem]:
    """Return what cannot even be kept in a draft: unknown choices and texts that are too long."""
    problems = []
    if answers.purpose_code and answers.purpose_code not in PURPOSES:
        problems.append(Problem("purpose_code", "Choose a purpose from the list."))
    if set(answers.functions) - set(GRANT_FUNCTIONS.values()):
        problems.append(Problem("functions", "Choose functions from the list."))
    longest = {"purpose": LONGEST_TEXT, "intended_use": LONGEST_TEXT, "affiliation": LONGEST_LINE}
    return problems + unfit_texts(answers, longest)


def unfit_texts(answers: Answers, most: Mapping[str, int]) -> list[Problem]:
    """Return which texts cannot be kept, of those whose greatest length is given."""
    problems = []
    for field, longest in most.items():
        text = getattr(answers, field)
        if len(text) > longest:
            problems.append(Problem(field, f"It has {len(text):,} characters; at most {longest:,} are kept."))
        if "\x00" in text:
            problems.append(Problem(field, "It holds a character that is no text."))
    return problems


def missing(answers: Answers, stage: str, *, at: datetime) -> list[Problem]:
    """Return what is still missing before the application can be submitted."""
    return [
        *(Problem(field, sentence) for field, sentence in _UNANSWERED.items() if not _is_answered(answers, field)),
        *_end_problems(answers.requested_end, at),
        *_function_problems(answers.functions, stage),
    ]


_UNANSWERED = {
    "purpose_code": "Choose the purpose that comes closest.",
    "purpose": "Say which question you study.",
    "affiliation": "Say where you work, or that you work alone.",
    "intended_use": "Say what you do with the outputs and who sees them.",
    "functions": "Choose at least one function.",
    "requested_end": "Say on which day your access shall end.",
}


def _is_answered(answers: Answers, field: str) -> bool:
    value = getattr(answers, field)
    return bool(value.strip() if isinstance(value, str) else value)


def _end_problems(day: date | None, at: datetime) -> list[Problem]:
    if day is None:
        return []
    if day <= at.date():
        return [Problem("requested_end", "The end must lie in the future.")]
    if day > latest_end(at):
        last = f"{latest_end(at):%d %B %Y}"
        return [Problem("requested_end", f"Access lasts at most {LONGEST_DAYS} days: up to {last}. It can be renewed.")]
    return []


def _function_problems(functions: Iterable[str], stage: str) -> list[Problem]:
    closed = sorted(set(functions) - set(functions_open(stage)))
    label = stage_of(stage).label
    return [Problem("functions", f"At the stage {label} a grant does not open: {', '.join(closed)}.")] if closed else []


# --- Who may do what -------------------------------------------------------------------------------------------------


def decide_command(
    name: str,
    state: str,
    actor: Actor,
    applicant_id: str,
    stage: str,
    *,
    tier: int = 1,
    people: int = 1,
    roles: Collection[str] = REVIEWERS,
) -> Decision:
    """Decide whether the actor may give a command on somebody's application; nobody decides on their own.

    Args:
        name: the command.
        state: where the application stands.
        actor: who gives it.
        applicant_id: account of the applicant.
        stage: where the size stands.
        tier: how much care the application needs.
        people: how many the programme asks for; it may add to the house's rule, never take from it.
        roles: who reviews in this programme.
    """
    is_own = actor.is_person and actor.id == applicant_id
    if is_own and "applicant" not in APPLICATION.command(name).by and actor.has_role(*REVIEWERS):
        return may_not(
            "own_application",
            "This is your own application.",
            f"application: {name}",
            "Somebody else who may decide must do it; a role that you were given later changes nothing.",
        )
    who = relations(actor, applicant_id)
    if name in OWNED:
        owners = roles if needs_two(state, tier, people) else {DECIDERS[kind_of_grant(stage)]}
        who -= frozenset(REVIEWERS) - set(owners)
    return APPLICATION.decide(name, state, who)


def needs_two(state: str, tier: int, people: int = 1) -> bool:
    """Return whether two people must agree; once a second is waited for, a lower tier no longer changes that."""
    return tier >= TWO_PEOPLE_FROM or people > 1 or state == SECOND_REVIEW


def relations(actor: Actor, applicant_id: str) -> frozenset[str]:
    """Return the roles and relations under which the lifecycle knows this actor; a token never decides."""
    if actor.is_system:
        return frozenset({"system"})
    if actor.is_person and actor.id == applicant_id:
        is_free = actor.scopes is None or WRITE_SCOPE in actor.scopes
        return frozenset({"applicant"} if is_free else ())
    return actor.roles & frozenset(REVIEWERS) if actor.scopes is None else frozenset()


# --- The clock -------------------------------------------------------------------------------------------------------


def due_after(submitted_at: datetime, tier: int = 1) -> datetime:
    """Return when the decision is promised: what needs more care may take longer."""
    return add_working_time(submitted_at, working_days(WORKING_DAYS[tier]))


def due_after_pause(due_at: datetime, asked_at: datetime, answered_at: datetime) -> datetime:
    """Return the promise after a question: what was left when it was asked counts from the answer."""
    if asked_at >= due_at:
        return due_at  # it was late already; asking does not make it punctual
    return add_working_time(answered_at, working_time_between(asked_at, due_at))


def idle_limit(state: str) -> timedelta:
    """Return after how long without a word from the applicant an application in this state lapses."""
    return DRAFT_IDLE if state == DRAFT else QUESTION_IDLE


@dataclass(frozen=True)
class Clock:
    """What is left of a promise, in whole working days, rounded up."""

    due_at: datetime
    days: int
    is_late: bool


def clock_at(due_at: datetime, at: datetime) -> Clock:
    """Return how many working days are left at that time, or by how many the promise is missed."""
    is_late = at > due_at
    span = working_time_between(due_at, at) if is_late else working_time_between(at, due_at)
    return Clock(due_at, -(-span // working_days(1)), is_late)


# --- Renewal ---------------------------------------------------------------------------------------------------------


def may_renew(grant_state: str) -> Decision:
    """Decide whether a grant in this state can be renewed."""
    rule = "grant: renew"
    if grant_state in ("active", "scheduled", "expired"):
        return allow("transition", f"A grant that is {grant_state} can be renewed.", rule)
    change = "Wait until the suspension is lifted, or appeal." if grant_state == "suspended" else "Apply anew."
    return not_now("state", f"This grant is {grant_state}.", rule, change)


def renewed_end(old_end: datetime, approved_end: datetime, submitted_at: datetime) -> datetime:
    """Return the new end: the approved time, counted from the day of asking, goes onto the old end."""
    return old_end + (approved_end - submitted_at)
