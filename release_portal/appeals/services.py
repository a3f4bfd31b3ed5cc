"""Write appeals: file, accept or dismiss, assign, ask and answer, decide, execute, close."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from release_portal.accounts.models import User
from release_portal.appeals import rules
from release_portal.appeals.handlers import Appealable, Order, handler_of
from release_portal.appeals.lookups import (
    decision_by_link,
    decision_on,
    decision_to_appeal,
    free_deciders,
    may_appeal,
)
from release_portal.appeals.models import Appeal, AppealQuestion
from release_portal.appeals.rules import APPEAL, INADMISSIBLE_REASONS, LONGEST_TEXT, OUTCOMES
from release_portal.audit.services import record
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotAllowed, NotNow, StaleVersion, error_of
from release_portal.core.texts import needed_text
from release_portal.notices.services import notify, notify_each

WHEN = "%d %B %Y, %H:%M UTC"


def appeal_subject(appeal: Appeal) -> str:
    """Return how the audit log names an appeal."""
    return f"appeal:{appeal.pk}"


def path_of(appeal: Appeal) -> str:
    """Return the address of the page on which an appellant follows it."""
    return f"/appeals/{appeal.pk}/"


def desk_path_of(appeal: Appeal) -> str:
    """Return the address of the page on which it is decided."""
    return f"/staff/appeals/{appeal.pk}/"


@transaction.atomic
def file_appeal(actor: Actor, subject: str, *, text: str, at: datetime) -> Appeal:
    """Appeal against a decision about oneself.

    Raises:
        NotFound: there is no such decision about the actor.
        NotNow: it was appealed already, it is too late, or nothing is left to appeal.
    """
    found = decision_to_appeal(actor, subject, at)
    _check(may_appeal(found, at))
    return _file(actor, found, text, at, is_by_link=False)


@transaction.atomic
def file_appeal_by_link(token: str, *, text: str, at: datetime) -> Appeal:
    """Appeal with the link from the notice, without signing in; the link works once."""
    link, found = decision_by_link(token, at, is_locked=True)
    appeal = _file(ANONYMOUS, found, text, at, is_by_link=True)
    link.used_at = at
    link.save(update_fields=["used_at"])
    return appeal


def _file(actor: Actor, found: Appealable, text: str, at: datetime, *, is_by_link: bool) -> Appeal:
    written = needed_text(text, "grounds", "Say what is wrong with the decision.", longest=LONGEST_TEXT)
    try:
        with transaction.atomic():
            appeal = Appeal.objects.create(
                kind=found.kind,
                subject=found.subject,
                title=found.title[:200],
                appellant=found.person,
                decided_by_ids=sorted(set(found.decided_by)),
                decided_at=found.decided_at,
                text=written,
                is_by_link=is_by_link,
                filed_at=at,
                due_at=rules.due_after(found.kind, at),
            )
    except IntegrityError as error:
        raise _appealed_already() from error
    _record("appeal.filed", actor, appeal, at, by_link=is_by_link)
    _tell_of_arrival(appeal, at)
    return appeal


def _appealed_already() -> NotNow:
    return NotNow(
        "This decision was appealed already.", code="appealed", rule="appeal: file", change="Follow that appeal."
    )


def _tell_of_arrival(appeal: Appeal, at: datetime) -> None:
    facts = {**_names(appeal), "due": f"{appeal.due_at:{WHEN}}"}
    notify(appeal.appellant, "appeal_received", facts, at=at, path=path_of(appeal))
    facts["appellant"] = appeal.appellant.name
    notify_each(free_deciders(appeal), "appeal_arrived", facts, at=at, path=desk_path_of(appeal))


@transaction.atomic
def accept_appeal(actor: Actor, appeal_id: str, *, expected_version: int, at: datetime) -> Appeal:
    """Take an appeal in; whether it is right is decided later."""
    appeal = _locked(actor, "accept", appeal_id, expected_version)
    _move(appeal, "accept")
    _record("appeal.accepted", actor, appeal, at)
    return appeal


@transaction.atomic
def dismiss_appeal(actor: Actor, appeal_id: str, *, code: str, expected_version: int, at: datetime) -> Appeal:
    """Declare an appeal inadmissible, with a reason from the list."""
    appeal = _locked(actor, "dismiss", appeal_id, expected_version)
    if code not in INADMISSIBLE_REASONS:
        raise InvalidInput("Choose a reason from the list.", field="code")
    appeal.inadmissible_code, appeal.closed_at = code, at
    _move(appeal, "dismiss")
    _record("appeal.dismissed", actor, appeal, at, reason=INADMISSIBLE_REASONS[code], code=code)
    facts = {**_names(appeal), "reason": INADMISSIBLE_REASONS[code]}
    notify(appeal.appellant, "appeal_inadmissible", facts, at=at, path=path_of(appeal))
    return appeal


@transaction.atomic
def assign_appeal(actor: Actor, appeal_id: str, *, to: str, expected_version: int, at: datetime) -> Appeal:
    """Give an appeal to the one who decides on it.

    Raises:
        NotAllowed: that person took part in the decision, or may not decide.
    """
    appeal = _locked(actor, "assign", appeal_id, expected_version)
    chosen = _free_decider(appeal, to)
    appeal.assigned_id, appeal.assigned_name = str(chosen.pk), chosen.username
    _move(appeal, "assign")
    _record("appeal.assigned", actor, appeal, at, to=chosen.username)
    facts = {**_names(appeal), "due": f"{appeal.due_at:{WHEN}}"}
    notify(chosen, "appeal_assigned", facts, at=at, path=desk_path_of(appeal))
    return appeal


def _free_decider(appeal: Appeal, username: str) -> User:
    chosen = next((user for user in free_deciders(appeal) if user.username == username), None)
    if chosen is None:
        raise NotAllowed(
            "This person may not decide on this appeal.",
            code="not_free",
            field="to",
            rule="appeal: assign",
            change="Choose somebody who may decide and took no part in the decision.",
        )
    return chosen


@transaction.atomic
def ask_appellant(actor: Actor, appeal_id: str, *, question: str, expected_version: int, at: datetime) -> Appeal:
    """Ask the appellant something."""
    appeal = _locked(actor, "ask", appeal_id, expected_version)
    text = needed_text(question, "question", "Write what you need to know.", longest=LONGEST_TEXT)
    AppealQuestion.objects.create(appeal=appeal, text=text, asked_by_id=actor.id, asked_by_name=actor.name, asked_at=at)
    _move(appeal, "ask")
    _record("appeal.asked", actor, appeal, at)
    facts = {**_names(appeal), "question": text}
    notify(appeal.appellant, "appeal_question", facts, at=at, path=path_of(appeal))
    return appeal


@transaction.atomic
def answer_appeal(actor: Actor, appeal_id: str, *, answer: str, expected_version: int, at: datetime) -> Appeal:
    """Answer what was asked."""
    appeal = _locked(actor, "answer", appeal_id, expected_version)
    text = needed_text(answer, "answer", "Write an answer.", longest=LONGEST_TEXT)
    question = appeal.questions.select_for_update().get(answered_at=None)
    question.answer, question.answered_at = text, at
    question.save(update_fields=["answer", "answered_at"])
    _move(appeal, "answer")
    _record("appeal.answered", actor, appeal, at)
    return appeal


@transaction.atomic
def decide_appeal(
    actor: Actor, appeal_id: str, *, verdict: str, reason: str, expected_version: int, at: datetime
) -> Appeal:
    """Decide, with a reason; what is decided is carried out by a command of its own.

    Args:
        actor: the one to whom the appeal is assigned.
        appeal_id: which appeal.
        verdict: uphold, partly or overturn.
        reason: the appellant reads it.
        expected_version: version that the decider saw.
        at: the time of the decision.
    """
    if verdict not in OUTCOMES:
        raise InvalidInput("Choose what you decide.", field="verdict")
    appeal = _locked(actor, verdict, appeal_id, expected_version)
    if verdict not in rules.outcomes_of(appeal.kind):
        raise InvalidInput(f"A {appeal.kind} is upheld or overturned.", field="verdict")
    appeal.outcome_reason = needed_text(reason, "reason", "Say to the appellant why.", longest=LONGEST_TEXT)
    appeal.outcome, appeal.outcome_at = OUTCOMES[verdict], at
    appeal.outcome_by_id, appeal.outcome_by_name = actor.id, actor.name
    _move(appeal, verdict)
    _record("appeal.decided", actor, appeal, at, reason=appeal.outcome_reason, outcome=appeal.outcome)
    facts = {**_names(appeal), "reason": appeal.outcome_reason, "by": actor.name}
    notify(appeal.appellant, f"appeal_{appeal.outcome}", facts, at=at, path=path_of(appeal))
    return appeal


@transaction.atomic
def execute_appeal(actor: Actor, appeal_id: str, *, expected_version: int, at: datetime) -> Appeal:
    """Carry out what was decided: all of it, or nothing and the appeal stays where it is."""
    appeal = _locked(actor, "execute", appeal_id, expected_version)
    order = Order(appeal.pk, appeal.subject, appeal.outcome, appeal.outcome_reason, actor, at)
    effect = handler_of(appeal.kind).execute(order)
    appeal.effect, appeal.before, appeal.executed_at = effect.words, effect.before, at
    _move(appeal, "execute")
    _record("appeal.executed", actor, appeal, at, reason=effect.words, outcome=appeal.outcome)
    return appeal


@transaction.atomic
def close_appeal(actor: Actor, appeal_id: str, *, expected_version: int, at: datetime) -> Appeal:
    """Put an appeal away of which everything is done."""
    appeal = _locked(actor, "close", appeal_id, expected_version)
    appeal.closed_at = at
    _move(appeal, "close")
    _record("appeal.closed", actor, appeal, at)
    return appeal


def _locked(actor: Actor, name: str, appeal_id: str, expected_version: int) -> Appeal:
    found = Appeal.objects.select_for_update(of=("self",)).select_related("appellant")
    appeal = found.get(pk=appeal_id)
    _check(decision_on(name, actor, appeal))
    if appeal.version != expected_version:
        raise StaleVersion(
            f"The appeal changed while this form was open; it is {appeal.state} now.", change="Look again, then decide."
        )
    return appeal


def _move(appeal: Appeal, name: str) -> None:
    appeal.state, appeal.version = APPEAL.command(name).target or appeal.state, appeal.version + 1
    appeal.save()


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)


def _record(kind: str, actor: Actor, appeal: Appeal, at: datetime, *, reason: str = "", **data: str | bool) -> None:
    facts = {"about": appeal.subject, "state": appeal.state, "version": appeal.version, **data}
    record(kind, actor=actor, subject=appeal_subject(appeal), at=at, reason=reason, data=facts)


def _names(appeal: Appeal) -> dict[str, str]:
    return {"appeal": appeal.pk, "title": appeal.title}
