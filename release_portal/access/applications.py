"""What applicants do: save a draft, submit, answer a question, withdraw; and what their silence does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from release_portal.access import application_rules as rules
from release_portal.access.agreements.services import agreement_in_force, check_same_text, sign_agreement
from release_portal.access.application_lookups import grant_to_renew, size_to_apply_for
from release_portal.access.application_names import application_subject as application_subject
from release_portal.access.application_names import path_of as path_of
from release_portal.access.application_names import review_path_of as review_path_of
from release_portal.access.application_rules import (
    APPLICATION,
    DRAFT,
    NEEDS_INFO,
    NEW,
    PENDING_TERMS,
    SUBMITTED,
    WITHDRAWN,
    Answers,
)
from release_portal.access.attestations.asking import ask_attesters
from release_portal.access.completeness import missing_from
from release_portal.access.models import AgreementVersion, Application, Grant
from release_portal.access.programmes.applying import bind_form, hand_in
from release_portal.access.purposes import PURPOSES
from release_portal.access.questions.rules import WHOLE
from release_portal.access.questions.services import write_replies
from release_portal.access.queue.tiers import keep_tier
from release_portal.access.review_desk import largest_open, step_of
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import Incomplete, InvalidInput, NotFound, NotNow, StaleVersion, error_of
from release_portal.notices.services import notify, notify_each
from release_portal.registry.models import ModelSize

WHEN = rules.WHEN


@transaction.atomic
def save_application(
    actor: Actor, slug: str, answers: Answers, *, expected_version: int, at: datetime, renews: str = ""
) -> Application:
    """Keep a draft, complete or not; the first save starts the application.

    Args:
        actor: the applicant.
        slug: the size that is applied for.
        answers: what stands in the form.
        expected_version: version of the draft that the form showed; 0 when there was none.
        at: the time of saving.
        renews: id of the applicant's grant that this renews, when the application is started.

    Raises:
        NotNow: the applicant has an open application for this size already, which is named.
        StaleVersion: the draft was changed while the form was open.
    """
    size = size_to_apply_for(actor, slug, at=at)
    _refuse_unreadable(answers)
    draft = _draft(actor, size, expected_version, renews, at)
    draft.purpose_code, draft.purpose, draft.affiliation = answers.purpose_code, answers.purpose, answers.affiliation
    draft.intended_use, draft.requested_end = answers.intended_use, answers.requested_end
    draft.functions = sorted(set(answers.functions))
    bind_form(draft, answers, at)
    draft.saved_at, draft.version = at, draft.version + 1
    draft.save()
    return draft


def start_renewal(actor: Actor, grant: Grant, slug: str, *, at: datetime) -> Application:
    """Start the application that renews a grant, with what the last one for that size said; the end is asked anew.

    Args:
        actor: the holder.
        grant: which grant; that it may be renewed is checked where the application is started.
        slug: which of its sizes; may be empty where it names one.
        at: the time.
    """
    named = [size.slug for size in grant.sizes.all()]
    wanted = slug or (named[0] if len(named) == 1 else "")
    if wanted not in named:
        raise InvalidInput("Name one of the grant's sizes.", field="size", change=f"One of: {', '.join(named)}.")
    last = Application.objects.filed_by(actor.id).filter(size__slug=wanted).exclude(submitted_at=None).first()
    answers = replace(last.answers(), requested_end=None) if last else _answers_from(grant)
    return save_application(actor, wanted, answers, expected_version=0, at=at, renews=grant.pk)


def _answers_from(grant: Grant) -> Answers:
    code = grant.purposes[0] if grant.purposes else ""
    return Answers(purpose_code=code, functions=tuple(function.name for function in grant.functions.all()))


def _refuse_unreadable(answers: Answers) -> None:
    for problem in rules.unreadable(answers):
        raise InvalidInput(problem.reason, field=problem.field)


def _draft(actor: Actor, size: ModelSize, expected_version: int, renews: str, at: datetime) -> Application:
    found = Application.objects.select_for_update().filed_by(actor.id).filter(size=size).open().first()
    if found is None:
        if expected_version:
            raise StaleVersion("This draft is no longer open.", change="Send the form again to start a new one.")
        return _start(actor, size, renews, at)
    if found.state != DRAFT:
        raise _taken(found)
    _check(rules.decide_command("save", found.state, actor, str(found.applicant_id), size.standing.stage))
    if found.version != expected_version:
        raise StaleVersion(
            "This draft was saved in another window while the form was open.",
            change="Your text is kept below; sending it again replaces what the other window saved.",
        )
    return found


def _start(actor: Actor, size: ModelSize, renews: str, at: datetime) -> Application:
    _check(rules.decide_command("start", NEW, actor, actor.id, size.standing.stage))
    grant = _renewable(actor, size, renews, at) if renews else None
    try:
        with transaction.atomic():
            draft = Application.objects.create(
                applicant_id=actor.account_id, size=size, renews=grant, version=0, created_at=at, saved_at=at
            )
    except IntegrityError as error:
        other = Application.objects.filed_by(actor.id).filter(size=size).open().first()
        if other is None:
            raise
        raise _taken(other) from error
    data = {"size": size.slug, **({"renews": grant.pk} if grant else {})}
    record("application.started", actor=actor, subject=application_subject(draft), at=at, data=data)
    return draft


def _renewable(actor: Actor, size: ModelSize, grant_id: str, at: datetime) -> Grant:
    grant = grant_to_renew(actor, size, grant_id)
    if grant is None:
        raise NotFound("You hold no such grant for this size.", change="Your grants are listed on one page.")
    _check(rules.may_renew(grant.state_at(at)))
    return grant


def _taken(found: Application) -> NotNow:
    return NotNow(
        f"Your application {found.pk} for this size is open already.",
        code="open_application",
        rule="application: start",
        change="Follow that one, or withdraw it before you start another.",
    )


@transaction.atomic
def submit_application(
    actor: Actor,
    slug: str,
    answers: Answers,
    *,
    agreement_hash: str,
    expected_version: int,
    at: datetime,
    renews: str = "",
) -> Application:
    """Hand an application in: sign the agreement, start the clock, tell applicant and deciders.

    Args:
        actor: the applicant.
        slug: the size that is applied for.
        answers: what stands in the form.
        agreement_hash: hash of the text that was shown and accepted; empty when it was not accepted.
        expected_version: version of the draft that the form showed; 0 when there was none.
        at: the time of submission.
        renews: id of the applicant's grant that this renews, when the application is started.

    Raises:
        Incomplete: something is missing, named field by field.
        NotNow: the agreement changed while the form was open, or none is published.
    """
    application = save_application(actor, slug, answers, expected_version=expected_version, at=at, renews=renews)
    _check_command("submit", actor, application)
    agreement = agreement_in_force(at)
    _check_complete(application, agreement, agreement_hash, at)
    sign_agreement(actor, application.applicant, agreement, at=at)
    application.agreement, application.agreement_hash = agreement, agreement.sha256
    application.state, application.submitted_at = SUBMITTED, at
    trace = hand_in(application, at)
    tier = keep_tier(application, largest_open(), at)
    application.due_at = rules.due_after(at, tier)
    application.save()
    data = {"size": application.size.slug, "agreement": agreement.sha256, "purpose": application.purpose_code}
    data |= {"tier": str(tier), "programme": trace.programme_id, "checks": trace.outcome}
    record("application.submitted", actor=actor, subject=application_subject(application), at=at, data=data)
    _tell_of_arrival(application, tier, at)
    ask_attesters(actor, application, tier, at)
    return application


def _check_complete(application: Application, agreement: AgreementVersion, accepted: str, at: datetime) -> None:
    problems = missing_from(application, at=at)
    if not accepted:
        problems.append(rules.Problem("agreement", "Read the agreement and accept it."))
    if problems:
        pairs = [(problem.field, problem.reason) for problem in problems]
        raise Incomplete("Something is still missing.", pairs, rule="application: submit", change="Fill it in.")
    more = "Everything else that you wrote is kept."
    check_same_text(agreement, accepted, rule="application: submit", more=more)


def _tell_of_arrival(application: Application, tier: int, at: datetime) -> None:
    assert application.due_at is not None
    due, size = f"{application.due_at:{WHEN}}", application.size.name
    facts = {"application": application.pk, "size": size, "due": due}
    notify(application.applicant, "application_received", facts, at=at, path=path_of(application))
    facts |= {"applicant": application.applicant.name, "purpose": PURPOSES[application.purpose_code]}
    notify_each(_deciders(application, tier), "application_arrived", facts, at=at, path=review_path_of(application))


def _deciders(application: Application, tier: int) -> list[User]:
    owner = rules.DECIDERS[rules.kind_of_grant(application.size.standing.stage)]
    step = step_of(application, tier)
    named = step.roles if rules.needs_two(application.state, tier, step.people) else (owner,)
    holders = User.objects.filter(role_assignments__role__in=named, is_active=True)
    return list(holders.exclude(pk=application.applicant_id).order_by("pk").distinct())


def answer_question(
    actor: Actor, application_id: str, *, answer: str, expected_version: int, at: datetime
) -> Application:
    """Answer the one question that the reviewer asked, and change nothing."""
    return answer_questions(
        actor, application_id, replies={WHOLE: answer}, changes={}, expected_version=expected_version, at=at
    )


@transaction.atomic
def answer_questions(
    actor: Actor,
    application_id: str,
    *,
    replies: Mapping[str, str],
    changes: Mapping[str, Any],
    expected_version: int,
    at: datetime,
) -> Application:
    """Answer what the reviewer asked; the clock goes on with the time that was left.

    Args:
        actor: the applicant.
        application_id: which application.
        replies: answers by the key of the field; an empty key answers the question about the whole.
        changes: new values by the key of the field; only fields that were asked about.
        expected_version: version that the applicant saw.
        at: the time of answering.

    Raises:
        InvalidInput: an answer is missing, or something is changed that nobody asked about.
    """
    application = locked(actor, "answer", application_id, expected_version)
    asked, changed = write_replies(application, replies, changes, at=at)
    assert application.due_at is not None
    application.due_at = rules.due_after_pause(application.due_at, asked[0].asked_at, at)
    application.escalates_at = None
    tier = keep_tier(application, largest_open(), at)
    set_state(application, SUBMITTED)
    ask_attesters(actor, application, tier, at)
    data = {"changed": [one.key for one in changed]} if changed else {}
    record("application.answered", actor=actor, subject=application_subject(application), at=at, data=data)
    return application


@transaction.atomic
def withdraw_application(actor: Actor, application_id: str, *, expected_version: int, at: datetime) -> Application:
    """Take an application back before it is decided."""
    application = locked(actor, "withdraw", application_id, expected_version)
    application.offers.waiting().update(ended_at=at, end_reason="application withdrawn")
    set_state(application, WITHDRAWN)
    record("application.withdrawn", actor=actor, subject=application_subject(application), at=at)
    return application


@transaction.atomic
def lapse_applications(actor: Actor, *, at: datetime) -> int:
    """End what its applicant left lying: drafts without a save, questions without an answer."""
    count = 0
    for application in idle_applications().select_for_update(of=("self",)):
        if at < lapses_at(application):
            continue
        left = lapse_application(actor, application, at=at)
        facts = {"application": application.pk, "size": application.size.name, "state": _LEFT[left]}
        notify(application.applicant, "application_lapsed", facts, at=at, path=path_of(application))
        count += 1
    return count


def lapse_application(actor: Actor, application: Application, *, at: datetime) -> str:
    """End one application that waits for its applicant, in the caller's transaction; return the state that it left."""
    _check_command("lapse", actor, application)
    left = application.state
    if left == DRAFT:  # nobody but the writer ever saw it, so nothing of it is kept
        for column, empty in WRITTEN.items():
            setattr(application, column, empty)
    application.offers.waiting().update(ended_at=at, end_reason="not accepted in time")
    set_state(application, rules.LAPSED)
    record("application.lapsed", actor=actor, subject=application_subject(application), at=at, data={"from": left})
    return left


# What an applicant wrote in their own words, and what stands there when it is forgotten.
WRITTEN: dict[str, Any] = {
    "purpose": "",
    "affiliation": "",
    "intended_use": "",
    "summary": "",
    "summary_withheld": "",
    "form_answers": {},
}

_LEFT = {
    DRAFT: "stayed a draft",
    NEEDS_INFO: "waited for your answer",
    PENDING_TERMS: "waited for you to accept its terms",
}


def idle_applications() -> QuerySet[Application]:
    """Return the applications that wait for their applicant."""
    sources = APPLICATION.command("lapse").sources
    found = Application.objects.filter(state__in=sources).select_related("applicant", "size", "size__standing")
    return found.prefetch_related("questions")


def lapses_at(application: Application) -> datetime:
    """Return when an application that waits for its applicant lapses."""
    began = application.saved_at
    if application.state == PENDING_TERMS and application.decided_at:
        began = application.decided_at
    elif application.state == NEEDS_INFO:
        began = next(one.asked_at for one in application.questions.all() if one.answered_at is None)
    return began + rules.idle_limit(application.state)


def locked(actor: Actor, command: str, application_id: str, expected_version: int) -> Application:
    """Return the application for a command: the actor may give it, and nobody changed it since the form was shown."""
    application = locked_row(application_id)
    _check_command(command, actor, application)
    check_version(application, expected_version)
    return application


def locked_row(application_id: str) -> Application:
    """Return the application, locked; the caller asks whether the actor may give the command."""
    found = Application.objects.select_for_update(of=("self",)).select_related("applicant", "size__standing")
    return found.get(pk=application_id)


def check_version(application: Application, expected_version: int) -> None:
    """Refuse a command on what somebody saw before it changed."""
    if application.version != expected_version:
        raise StaleVersion(
            f"The application changed while this form was open; it is {application.state.replace('_', ' ')} now.",
            change="Look again, then decide.",
        )


def set_state(application: Application, state: str) -> None:
    """Write a new state as a new version."""
    application.state, application.version = state, application.version + 1
    application.save()


def _check_command(name: str, actor: Actor, application: Application) -> None:
    applicant, stage = str(application.applicant_id), application.size.standing.stage
    _check(rules.decide_command(name, application.state, actor, applicant, stage))


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
