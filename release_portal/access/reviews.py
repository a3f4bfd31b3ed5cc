"""What deciders do with an application: ask, approve with conditions, refuse with a coded reason."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access import application_rules as rules
from release_portal.access.application_rules import GRANTED, NEEDS_INFO, QUESTION_IDLE, REFUSED
from release_portal.access.applications import WHEN, application_subject, locked, path_of, set_state
from release_portal.access.conditions import Conditions, condition_problems
from release_portal.access.grant_rules import EXPIRED
from release_portal.access.models import Application, Grant, Question
from release_portal.access.purposes import PURPOSES
from release_portal.access.refusals import REASONS
from release_portal.access.services import GrantTerms, create_grant, renew_grant
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotNow
from release_portal.notices.services import notify


@transaction.atomic
def ask_applicant(
    actor: Actor, application_id: str, *, question: str, expected_version: int, at: datetime
) -> Application:
    """Ask the applicant something; the clock rests until the answer."""
    application = locked(actor, "ask", application_id, expected_version)
    text = _text(question, "question", "Write what you need to know.")
    Question.objects.create(
        application=application, text=text, asked_by_id=actor.id, asked_by_name=actor.name, asked_at=at
    )
    set_state(application, NEEDS_INFO)
    record("application.asked", actor=actor, subject=application_subject(application), at=at)
    facts = {"question": text, "until": f"{at + QUESTION_IDLE:{WHEN}}", **_names(application)}
    notify(application.applicant, "application_question", facts, at=at, path=path_of(application))
    return application


@transaction.atomic
def approve_application(
    actor: Actor, application_id: str, conditions: Conditions, *, expected_version: int, at: datetime, note: str = ""
) -> Grant:
    """Approve with conditions: in one transaction the grant is made, or the end of the renewed one moves.

    Args:
        actor: a decider who is not the applicant.
        application_id: which application.
        conditions: what is given of what was asked for.
        expected_version: version that the decider saw.
        at: the time of the decision.
        note: sentence for the applicant.

    Raises:
        NotNow: the size no longer takes applications, or the grant to renew is suspended.
        InvalidInput: the conditions are wider than what was asked for.
    """
    application = locked(actor, "approve", application_id, expected_version)
    _check_stage(application)
    _check_conditions(application, conditions, at)
    grant = _give(actor, application, conditions, at)
    application.grant = grant
    _decide(actor, application, GRANTED, text=note.strip()[: rules.LONGEST_TEXT], at=at)
    data = {"grant": grant.pk, "ends_at": grant.ends_at.isoformat(), "functions": sorted(set(conditions.functions))}
    record("application.approved", actor=actor, subject=application_subject(application), at=at, data=data)
    _tell_approved(actor, application, grant, conditions, at)
    return grant


def _check_stage(application: Application) -> None:
    """The stage may have moved since the application came in; what was open then may be closed now."""
    stage = application.size.standing.place
    if not rules.functions_open(stage.slug):
        raise NotNow(
            f"The size stands at the stage {stage.label} now, which takes no grants. {stage.audience}",
            code="stage_closed",
            rule="application: approve",
            change="Refuse the application, or wait until the size moves.",
        )


def _check_conditions(application: Application, conditions: Conditions, at: datetime) -> None:
    answers, stage = application.answers(), application.size.standing.stage
    for problem in condition_problems(answers, stage, conditions, at=at):
        raise InvalidInput(problem.reason, field=problem.field)


def _give(actor: Actor, application: Application, conditions: Conditions, at: datetime) -> Grant:
    assert conditions.last_day is not None
    assert application.submitted_at is not None
    end, old = rules.end_of(conditions.last_day), application.renews
    reason = f"application {application.pk}"
    if old is not None and old.state_at(at) != EXPIRED:
        end = rules.renewed_end(old.ends_at, end, application.submitted_at)
        given = {"functions": conditions.functions, "limits": conditions.limits}
        return renew_grant(actor, old.pk, ends_at=end, reason=reason, at=at, **given)  # type: ignore[arg-type]
    terms = GrantTerms(
        sizes=(application.size,),
        functions=conditions.functions,
        purpose=PURPOSES[application.purpose_code],
        starts_at=at,
        ends_at=end,
        limits=conditions.limits,
        kind=rules.kind_of_grant(application.size.standing.stage),
    )
    return create_grant(actor, application.applicant, terms, reason=reason, at=at)


@transaction.atomic
def refuse_application(
    actor: Actor, application_id: str, *, code: str, text: str, expected_version: int, at: datetime
) -> Application:
    """Refuse with a reason from the catalogue and a text; the applicant reads both, and may apply again."""
    application = locked(actor, "refuse", application_id, expected_version)
    if code not in REASONS:
        raise InvalidInput("Choose a reason from the list.", field="code")
    text = _text(text, "explanation", "Say to the applicant why, in your own words.")
    _decide(actor, application, REFUSED, code=code, text=text, at=at)
    data = {"code": code}
    record("application.refused", actor=actor, subject=application_subject(application), at=at, data=data)
    reason = REASONS[code]
    facts = {"reason": reason.label, "change": reason.change, "text": text, "by": _by(actor, application)}
    facts |= _names(application)
    notify(application.applicant, "application_refused", facts, at=at, path=path_of(application))
    return application


def _decide(actor: Actor, application: Application, state: str, *, text: str, at: datetime, code: str = "") -> None:
    application.decided_at, application.decided_by_id = at, actor.account_id
    application.decided_by_name = _by(actor, application)
    application.decision_code, application.decision_text = code, text
    set_state(application, state)


def _by(actor: Actor, application: Application) -> str:
    role = rules.DECIDERS[rules.kind_of_grant(application.size.standing.stage)]
    return f"{actor.name}, {role.replace('_', ' ')}"


def _names(application: Application) -> dict[str, str]:
    return {"application": application.pk, "size": application.size.name}


def _tell_approved(actor: Actor, application: Application, grant: Grant, conditions: Conditions, at: datetime) -> None:
    limits = conditions.limits
    facts = {
        **_names(application),
        "grant": grant.pk,
        "functions": ", ".join(sorted(set(conditions.functions))),
        "tokens_per_day": f"{limits.tokens_per_day:,}",
        "requests": f"{limits.requests_per_minute:,}",
        "concurrent": f"{limits.concurrent:,}",
        "end": f"{grant.ends_at:{WHEN}}",
        "by": _by(actor, application),
    }
    notify(application.applicant, "application_approved", facts, at=at, path=path_of(application))


def _text(text: str, field: str, ask: str) -> str:
    if not text.strip() or "\x00" in text:
        raise InvalidInput(ask, field=field)
    if len(text) > rules.LONGEST_TEXT:
        raise InvalidInput(f"At most {rules.LONGEST_TEXT:,} characters.", field=field)
    return text.strip()
