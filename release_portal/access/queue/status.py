"""Where an application stands, for its applicant: step, whose turn, clock, place, and what may be expected."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from release_portal.access.application_rules import (
    DRAFT,
    GRANTED,
    LAPSED,
    NEEDS_INFO,
    OURS,
    PENDING_TERMS,
    REFUSED,
    SECOND_REVIEW,
    SUBMITTED,
    WITHDRAWN,
    Clock,
    clock_at,
    kind_of_grant,
    needs_two,
)
from release_portal.access.models import Application
from release_portal.access.questions.rules import paused_time
from release_portal.access.queue.throughput import expected_at_tier
from release_portal.access.queue.throughput_rules import Range
from release_portal.access.review_desk import largest_open, place_in_queue, risk_facing, step_of
from release_portal.access.risk_rules import Risk

DONE, NOW, LATER = "done", "now", "later"
WRITE, ASKED, REVIEW, SECOND, DECISION, TERMS = "write", "asked", "review", "second", "decision", "terms"
# In which step each state stands.
_STEP = {
    DRAFT: WRITE, NEEDS_INFO: ASKED, SUBMITTED: REVIEW, SECOND_REVIEW: SECOND, GRANTED: DECISION, REFUSED: DECISION,
    WITHDRAWN: DECISION, LAPSED: DECISION, PENDING_TERMS: TERMS,
}  # fmt: skip
# Who acts next, and what is done next, by state; an ended application waits for nobody.
APPLICANT, LEAD, PARTNER_LEAD, TWO, SECOND_PERSON = "applicant", "access_lead", "partner_lead", "two", "second"
_NEXT = {
    DRAFT: "send",
    NEEDS_INFO: "answer",
    SUBMITTED: "review",
    SECOND_REVIEW: "second_review",
    PENDING_TERMS: "accept_terms",
}


@dataclass(frozen=True)
class Step:
    """One step of the way, and whether it is done, now, or later."""

    code: str
    standing: str


@dataclass(frozen=True)
class Status:
    """What an applicant may know of an application.

    Args:
        steps: the way, in order.
        owner: whose turn it is; empty when it is over.
        next_act: what is done next; empty when it is over.
        people: how many must agree.
        clock: what is left of the promise, while we owe a decision.
        place: place in the queue; 0 when it does not wait for us.
        paused: for how long the clock rested in all.
        is_paused: it rests now.
        expected: how long decisions of this tier take; None when they are too few to say.
        risk: the tier with its trace.
    """

    steps: tuple[Step, ...]
    owner: str
    next_act: str
    people: int
    clock: Clock | None
    place: int
    paused: timedelta
    is_paused: bool
    expected: Range | None
    risk: Risk

    @property
    def paused_seconds(self) -> int:
        """For how long the clock rested in all, for programs."""
        return int(self.paused.total_seconds())


def status_of(application: Application, *, at: datetime) -> Status:
    """Return where an application stands now."""
    risk, is_ours = risk_facing(application, largest_open(), at), application.state in OURS
    step = step_of(application, risk.tier)
    takes_two = needs_two(application.state, risk.tier, step.people)
    is_sent = application.submitted_at is not None
    return Status(
        steps=_steps(application, takes_two),
        owner=_owner(application, takes_two),
        next_act=_NEXT.get(application.state, ""),
        people=step.people,
        clock=clock_at(application.due_at, at) if is_ours and application.due_at else None,
        place=place_in_queue(application),
        paused=_paused(application, at),
        is_paused=application.state == NEEDS_INFO,
        expected=expected_at_tier(risk.tier, at=at) if is_sent else None,
        risk=risk,
    )


def _steps(application: Application, takes_two: bool) -> tuple[Step, ...]:
    """The way of this application: the question only where one was asked, the second review only where it is needed."""
    was_asked = bool(application.questions.all())
    was_second = any(vote.review_round == application.review_round for vote in application.votes.all())
    way = [WRITE, REVIEW, *([ASKED] if was_asked else []), *([SECOND] if takes_two or was_second else []), DECISION]
    here = _STEP[application.state]
    way += [TERMS] if here == TERMS else []
    if here == REVIEW and was_asked:
        way = [WRITE, ASKED, *[one for one in way if one not in (WRITE, ASKED)]]
    place = way.index(here)
    is_over = here == DECISION
    return tuple(
        Step(code, DONE if number < place or is_over else NOW if number == place else LATER)
        for number, code in enumerate(way)
    )


def _owner(application: Application, takes_two: bool) -> str:
    if application.state in (DRAFT, NEEDS_INFO, PENDING_TERMS):
        return APPLICANT
    if application.state not in OURS:
        return ""
    if application.state == SECOND_REVIEW:
        return SECOND_PERSON
    if takes_two:
        return TWO
    return PARTNER_LEAD if kind_of_grant(application.size.standing.stage) == "partner" else LEAD


def _paused(application: Application, at: datetime) -> timedelta:
    """A question that nobody answered before the end rested until then; how long is not known, so it counts nothing."""
    asked = [(one.asked_at, one.answered_at) for one in application.questions.all()]
    is_paused = application.state == NEEDS_INFO
    return paused_time([pair for pair in asked if pair[1] is not None or is_paused], at)
