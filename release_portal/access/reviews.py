"""What deciders do with an application: ask, approve with conditions, refuse with a coded reason.

From tier 2 on each of these is one voice: the first waits in `second_review`, and the second that agrees decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from django.db import transaction

from release_portal.access import application_rules as rules
from release_portal.access.application_rules import (
    GRANTED,
    NEEDS_INFO,
    PENDING_TERMS,
    QUESTION_IDLE,
    REFUSED,
    SECOND_REVIEW,
)
from release_portal.access.applications import (
    WHEN,
    application_subject,
    check_version,
    locked_row,
    path_of,
    review_path_of,
    set_state,
)
from release_portal.access.conditions import Conditions, condition_problems, narrowest
from release_portal.access.extra_terms import OFFER_LASTS, written
from release_portal.access.grant_rules import CLOSED, EXPIRED
from release_portal.access.models import Application, Grant, ReviewVote
from release_portal.access.models.terms import given
from release_portal.access.obligations.services import check_settled
from release_portal.access.offers import bind_terms, kept_at_renewal, offer_with_approval
from release_portal.access.people.cohort_rules import given_problems
from release_portal.access.people.opening import open_team
from release_portal.access.people.teams import Team
from release_portal.access.programmes.applying import condition_limits
from release_portal.access.purposes import PURPOSES
from release_portal.access.questions.fields import content_of
from release_portal.access.questions.rules import WHOLE
from release_portal.access.questions.services import asked_text, write_questions
from release_portal.access.refusals import REASONS
from release_portal.access.review_desk import (
    command_decision,
    counted,
    desk_of,
    largest_open,
    risk_facing,
    step_of,
    voices,
)
from release_portal.access.review_rules import APPROVE, REFUSE, outcome
from release_portal.access.review_steps import Step
from release_portal.access.scope_rules import Scope
from release_portal.access.services import GrantTerms, create_grant, renew_grant
from release_portal.accounts.models import User
from release_portal.appeals.links import notify_with_appeal
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotNow, error_of
from release_portal.core.texts import needed_text
from release_portal.notices.services import notify, notify_each


@transaction.atomic
def ask_applicant(
    actor: Actor,
    application_id: str,
    *,
    question: str = "",
    at_fields: Mapping[str, str] | None = None,
    expected_version: int,
    at: datetime,
) -> Application:
    """Send an application back with questions; the clock rests until the answer.

    Args:
        actor: somebody who may review it.
        application_id: which application.
        question: about the whole.
        at_fields: questions by the key of the field; the applicant may change exactly these.
        expected_version: version that the reviewer saw.
        at: the time of asking.

    Raises:
        InvalidInput: nothing is asked, or about a field that the application does not have.
    """
    application = _locked(actor, "ask", application_id, expected_version, at)
    asked = write_questions(actor, application, {WHOLE: question, **(at_fields or {})}, at=at)
    end_lease(application)
    application.escalates_at = None
    set_state(application, NEEDS_INFO)
    keys = [one.field for one in asked if one.field]
    data = {"fields": keys} if keys else {}
    record("application.asked", actor=actor, subject=application_subject(application), at=at, data=data)
    facts = {"question": asked_text(asked), "until": f"{at + QUESTION_IDLE:{WHEN}}", **_names(application)}
    notify(application.applicant, "application_question", facts, at=at, path=path_of(application))
    return application


@transaction.atomic
def approve_application(
    actor: Actor, application_id: str, conditions: Conditions, *, expected_version: int, at: datetime, note: str = ""
) -> Grant | None:
    """Approve with conditions: in one transaction the grant is made, or the end of the renewed one moves.

    From tier 2 on the first approval waits for another person's, and nothing is returned; the grant then gives what
    both gave. Where the approval adds terms, nothing is returned either: the grant waits for their acceptance.

    Args:
        actor: a decider who is not the applicant and not of the same lab.
        application_id: which application.
        conditions: what is given of what was asked for.
        expected_version: version that the decider saw.
        at: the time of the decision.
        note: sentence for the applicant.

    Raises:
        NotNow: the size no longer takes applications, the grant to renew is suspended, or a rule of the programme
            does not hold any more.
        InvalidInput: the conditions are wider than what was asked for.
    """
    application = _locked(actor, "approve", application_id, expected_version, at)
    check_stage(application)
    check_conditions(application, conditions, at)
    note = note.strip()[: rules.LONGEST_TEXT]
    if _needs_two(application, at):
        _add_voice(actor, application, APPROVE, text=note, conditions=conditions, at=at)
        if _waits(actor, application, GRANTED, at):
            return None
        conditions = _agreed(application, conditions, desk_of(actor).reviewers)
        check_conditions(application, conditions, at)
    return _grant(actor, application, conditions, note, at)


def _grant(actor: Actor, application: Application, conditions: Conditions, note: str, at: datetime) -> Grant | None:
    conditions = replace(conditions, terms=kept_at_renewal(application.renews, conditions.terms))
    if conditions.terms:
        _offer(actor, application, conditions, note, at)
        return None
    grant = give(actor, application, conditions, at)
    bind_terms(grant, None, at=at, application=application)
    application.grant = grant
    open_team(actor, application, grant, at=at, seats=conditions.seats)
    _decide(actor, application, GRANTED, text=note, at=at)
    data = {"grant": grant.pk, "ends_at": grant.ends_at.isoformat(), "functions": sorted(set(conditions.functions))}
    record("application.approved", actor=actor, subject=application_subject(application), at=at, data=data)
    tell_approved(application, grant, conditions, at)
    return grant


def _offer(actor: Actor, application: Application, conditions: Conditions, note: str, at: datetime) -> None:
    """Approve under extra terms: the grant is made when the applicant accepts them, and not before."""
    offer = offer_with_approval(actor, application, conditions, at=at)
    _decide(actor, application, PENDING_TERMS, text=note, at=at)
    data = {"digest": offer.digest, "terms": ", ".join(one.code for one in conditions.terms)}
    record("application.offered", actor=actor, subject=application_subject(application), at=at, data=data)
    facts = {
        "terms": "\n".join(f"- {one.sentence}" for one in conditions.terms),
        "until": f"{at + OFFER_LASTS:{WHEN}}",
        "by": application.decided_by_name,
        **_names(application),
    }
    notify(application.applicant, "application_terms", facts, at=at, path=path_of(application))


def check_stage(application: Application) -> None:
    """Refuse where the size takes no grants now; the stage may have moved since the application came in."""
    stage = application.size.standing.place
    if not rules.functions_open(stage.slug):
        raise NotNow(
            f"The size stands at the stage {stage.label} now, which takes no grants. {stage.audience}",
            code="stage_closed",
            rule="application: approve",
            change="Refuse the application, or wait until the size moves.",
        )


def check_conditions(application: Application, conditions: Conditions, at: datetime) -> None:
    """Refuse what is wider than what was asked for, or not open now."""
    answers, stage, wish = application.answers(), application.size.standing.stage, Team(application).wish()
    for problem in [
        *condition_problems(answers, stage, conditions, at=at),
        *condition_limits(application, conditions, at),
        *given_problems(wish.seats if wish else None, conditions.seats),
    ]:
        raise InvalidInput(problem.reason, field=problem.field)


def give(actor: Actor, application: Application, conditions: Conditions, at: datetime) -> Grant:
    """Make the grant of an approved application, or move the end of the one that it renews."""
    assert conditions.last_day is not None
    assert application.submitted_at is not None
    end, old = rules.end_of(conditions.last_day), application.renews
    reason = f"application {application.pk}"
    if old is not None and old.state_at(at) not in (EXPIRED, CLOSED):
        check_settled(old, at)
        end = rules.renewed_end(old.ends_at, end, application.submitted_at)
        purposes = frozenset({application.purpose_code})
        scope = Scope(frozenset(conditions.functions), purposes, conditions.limits, conditions.sampler)
        return renew_grant(actor, old.pk, ends_at=end, scope=scope, reason=reason, at=at)
    terms = GrantTerms(
        sizes=(application.size,),
        functions=conditions.functions,
        purpose=PURPOSES[application.purpose_code],
        starts_at=at,
        ends_at=end,
        limits=conditions.limits,
        kind=rules.kind_of_grant(application.size.standing.stage),
        purposes=(application.purpose_code,),
        sampler=conditions.sampler,
    )
    return create_grant(actor, application.applicant, terms, reason=reason, at=at)


@transaction.atomic
def refuse_application(
    actor: Actor, application_id: str, *, code: str, text: str, expected_version: int, at: datetime
) -> Application:
    """Refuse with a reason from the catalogue and a text; the applicant reads both, and may apply again."""
    application = _locked(actor, "refuse", application_id, expected_version, at)
    if code not in REASONS:
        raise InvalidInput("Choose a reason from the list.", field="code")
    text = needed_text(text, "explanation", "Say to the applicant why, in your own words.", longest=rules.LONGEST_TEXT)
    if _needs_two(application, at):
        _add_voice(actor, application, REFUSE, code=code, text=text, at=at)
        if _waits(actor, application, REFUSED, at):
            return application
    _decide(actor, application, REFUSED, code=code, text=text, at=at)
    data = {"code": code}
    record("application.refused", actor=actor, subject=application_subject(application), at=at, data=data)
    reason = REASONS[code]
    facts = {"reason": reason.label, "change": reason.change, "text": text, "by": application.decided_by_name}
    facts |= _names(application)
    notify_with_appeal(
        application.applicant,
        "application_refused",
        facts,
        subject=application_subject(application),
        at=at,
        path=path_of(application),
    )
    return application


def _decide(actor: Actor, application: Application, state: str, *, text: str, at: datetime, code: str = "") -> None:
    application.decided_at, application.decided_by_id = at, actor.account_id
    application.decided_by_name = _by(actor, application)
    application.decision_code, application.decision_text = code, text
    application.review_round += 1
    end_lease(application)
    set_state(application, state)


def end_lease(application: Application) -> None:
    """Take the lease off; the caller saves."""
    application.claimed_by, application.claimed_by_name, application.claimed_until = None, "", None


def _by(actor: Actor, application: Application) -> str:
    """Return who decided, in which role; where two agreed, both."""
    verdict = APPROVE if application.grant_id or application.offers.exists() else REFUSE
    reviewers = desk_of(actor).reviewers
    agreed = [one for one in voices(application) if one.verdict == verdict and str(one.voter_id) in reviewers]
    if agreed:
        return " and ".join(f"{vote.voter_name} ({vote.role.replace('_', ' ')})" for vote in agreed)[:150]
    role = rules.DECIDERS[rules.kind_of_grant(application.size.standing.stage)]
    return f"{actor.name}, {role.replace('_', ' ')}"


# --- Two people ------------------------------------------------------------------------------------------------------


def _locked(actor: Actor, command: str, application_id: str, expected_version: int, at: datetime) -> Application:
    application = locked_row(application_id)
    decision = command_decision(command, application, desk_of(actor), at)
    if not decision:
        raise error_of(decision)
    check_version(application, expected_version)
    return application


def _needs_two(application: Application, at: datetime) -> bool:
    tier = risk_facing(application, largest_open(), at).tier
    return rules.needs_two(application.state, tier, step_of(application, tier).people)


def _step(application: Application, at: datetime) -> Step:
    return step_of(application, risk_facing(application, largest_open(), at).tier)


def _add_voice(
    actor: Actor,
    application: Application,
    verdict: str,
    *,
    text: str,
    at: datetime,
    code: str = "",
    conditions: Conditions | None = None,
) -> None:
    """Keep one person's voice; the database holds one for each person."""
    under = {**given(conditions), "terms": written(conditions.terms)} if conditions else {}
    who = {"voter_id": actor.account_id, "voter_name": actor.name, "role": reviewing_role(actor, application)}
    who |= {"review_round": application.review_round, "content": content_of(application)}
    ReviewVote.objects.create(application=application, verdict=verdict, code=code, text=text, at=at, **who, **under)


def _waits(actor: Actor, application: Application, wanted: str, at: datetime) -> bool:
    """Return whether another person must still agree; then the application says so, and nobody holds it."""
    if outcome(counted(application, desk_of(actor)), _step(application, at).people) == wanted:
        return False
    end_lease(application)
    application.assigned_to, application.assigned_name = None, ""  # somebody else is expected now
    set_state(application, SECOND_REVIEW)
    # The verdict stands in the vote: others read it once they have given their own.
    data = {"role": reviewing_role(actor, application)}
    record("application.voted", actor=actor, subject=application_subject(application), at=at, data=data)
    _ask_others(application, at)
    return True


def _ask_others(application: Application, at: datetime) -> None:
    """Tell those who may review and have not that another person is needed; never what the first one said."""
    assert application.due_at is not None
    holders = User.objects.filter(role_assignments__role__in=_step(application, at).roles, is_active=True).distinct()
    voted = {vote.voter_id for vote in voices(application)}
    others = holders.exclude(pk__in=voted | {application.applicant_id}).order_by("pk")
    facts = {"applicant": application.applicant.name, "due": f"{application.due_at:{WHEN}}", **_names(application)}
    notify_each(others, "application_second_review", facts, at=at, path=review_path_of(application))


def _agreed(application: Application, conditions: Conditions, reviewers: frozenset[str]) -> Conditions:
    """Return what every approval that counts gives.

    Raises:
        InvalidInput: nothing is left that all of them give.
    """
    for vote in voices(application):
        if vote.verdict == APPROVE and str(vote.voter_id) in reviewers:
            conditions = narrowest(conditions, vote.conditions())
    if not conditions.functions:
        change = "Approve at least one function that the first approval gives."
        raise InvalidInput("The two approvals have no function in common.", field="functions", change=change)
    return conditions


def reviewing_role(actor: Actor, application: Application) -> str:
    """Return in which role somebody reviews: as lead of the kind of grant, if they are that."""
    owner = rules.DECIDERS[rules.kind_of_grant(application.size.standing.stage)]
    return next(role for role in (owner, *rules.REVIEWERS) if role in actor.roles)


def _names(application: Application) -> dict[str, str]:
    return {"application": application.pk, "size": application.size.name}


def tell_approved(application: Application, grant: Grant, conditions: Conditions, at: datetime) -> None:
    """Tell the applicant what they hold."""
    limits, cohort = conditions.limits, Team(None, grant).cohort
    facts = {
        **_names(application),
        "grant": grant.pk,
        "functions": ", ".join(sorted(set(conditions.functions))),
        "tokens_per_day": f"{limits.tokens_per_day:,}",
        "requests": f"{limits.requests_per_minute:,}",
        "concurrent": f"{limits.concurrent:,}",
        "seats": str(cohort.seats) if cohort else "",
        "end": f"{grant.ends_at:{WHEN}}",
        "by": application.decided_by_name,
    }
    notify(application.applicant, "application_approved", facts, at=at, path=path_of(application))
