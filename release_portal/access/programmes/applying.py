"""What a programme adds to applying: the pinned form, the check of who may ask, and what reviewers are offered."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.application_rules import REFUSED, Answers, Problem
from release_portal.access.conditions import Conditions
from release_portal.access.models import Application, EligibilityTrace, Grant
from release_portal.access.programmes.duties import overdue_duties
from release_portal.access.programmes.eligibility import EVALUATOR, Facts, PastRefusal, Trace, evaluate
from release_portal.access.programmes.eligibility import REFUSED as NOT_ELIGIBLE
from release_portal.access.programmes.form_rules import (
    carried,
    end_problems,
    latest_day,
    missing_answers,
    sent_answers,
    summary_problems,
    unreadable_answers,
    unreadable_summary,
)
from release_portal.access.programmes.programme_rules import Programme
from release_portal.access.programmes.services import bound, form_of, programme_facing, programme_in_force
from release_portal.access.programmes.slots import attached_keys
from release_portal.accounts.mail import is_mail_confirmed
from release_portal.accounts.models import User
from release_portal.core.decisions import Decision, allow, not_now
from release_portal.core.errors import InvalidInput, NotNow
from release_portal.registry.models import ModelSize

# Where the form mends what a rule found.
_FIELDS = {"purpose": "purpose_code", "affiliation_given": "affiliation"}


# --- The form --------------------------------------------------------------------------------------------------------


def bind_form(draft: Application, answers: Answers, at: datetime) -> None:
    """Write the answers into a draft under the form in force; old answers that it can keep stay. The caller saves.

    Raises:
        InvalidInput: something cannot even be kept in a draft.
    """
    programme = programme_in_force(draft.size, at)
    for problem in [*unreadable_summary(answers), *unreadable_answers(programme, answers.more)]:
        raise InvalidInput(problem.reason, field=problem.field)
    draft.programme = bound(programme, at)
    draft.form_answers = carried(programme, {**draft.form_answers, **answers.more})
    draft.summary, draft.summary_withheld = answers.summary, answers.summary_withheld


def form_problems(application: Application, at: datetime) -> list[Problem]:
    """Return what the programme's form still lacks."""
    programme, answers = form_of(application, at), application.answers()
    day = (application.submitted_at or at).date()
    return [
        *missing_answers(programme, answers, attached_keys(application)),
        *summary_problems(programme, answers),
        *end_problems(programme, answers.requested_end, day, field="requested_end"),
    ]


# --- Who may ask -----------------------------------------------------------------------------------------------------


def preview(
    applicant: User, size: ModelSize, answers: Answers, programme: Programme, at: datetime, *, renews: str = ""
) -> Trace:
    """Return which checks would fail now, for what somebody has written so far; nothing is kept."""
    return evaluate(programme, facts_of(applicant, size, answers, programme, at, renews=renews), at)


def facts_of(
    applicant: User, size: ModelSize, answers: Answers, programme: Programme, at: datetime, *, renews: str = ""
) -> Facts:
    """Return what the evaluator asks for."""
    held = Grant.objects.held_by(str(applicant.pk)).in_force(at).filter(sizes=size).exclude(pk=renews)
    refused = Application.objects.filed_by(str(applicant.pk)).filter(state=REFUSED).exclude(decided_at=None)
    return Facts(
        size=size.name,
        purpose_code=answers.purpose_code,
        affiliation=answers.affiliation,
        mail_confirmed=is_mail_confirmed(applicant),
        country=answers.more.get(programme.countries.key, "") if programme.countries else "",
        refusals=tuple(PastRefusal(one.decision_code, one.decided_at) for one in refused if one.decided_at),
        held=tuple(held.order_by("pk").values_list("pk", flat=True)),
        duties=overdue_duties(applicant, at),
    )


def hand_in(application: Application, at: datetime) -> EligibilityTrace:
    """Ask the rules of the pinned programme, keep their trace, and drop answers that nobody asked for.

    Raises:
        NotNow: a rule stands in the way; the error says which, and what would change it.
    """
    trace = trace_now(application, at)
    if trace.outcome == NOT_ELIGIBLE:
        line = trace.failing[0]
        rule = f"programme {trace.programme}: {line.code}"
        raise NotNow(line.reason, code="not_eligible", field=_FIELDS.get(line.code, ""), rule=rule, change=line.change)
    programme = programme_facing(application)
    application.form_answers = sent_answers(programme, application.answers())
    return EligibilityTrace.objects.create(
        application=application,
        programme_id=programme.digest,
        evaluator=EVALUATOR,
        outcome=trace.outcome,
        lines=trace.stored(),
        at=at,
    )


def trace_now(application: Application, at: datetime) -> Trace:
    """Return what the rules of the pinned programme say now, whatever they said when it was handed in."""
    programme, renews = programme_facing(application), application.renews_id or ""
    return preview(application.applicant, application.size, application.answers(), programme, at, renews=renews)


def still_eligible(name: str, application: Application, at: datetime) -> Decision:
    """Decide whether the rules of the pinned programme let somebody be given access now."""
    trace = trace_now(application, at)
    rule = f"application: {name}, programme {trace.programme}"
    if trace.outcome != NOT_ELIGIBLE:
        return allow("eligible", "No rule of the programme stands in the way.", rule)
    found = " ".join(one.reason for one in trace.failing)
    changes = " ".join(one.change for one in trace.failing)
    reason = f"A rule of the programme does not hold now. The applicant reads: {found}"
    return not_now("not_eligible", reason, rule, f"Ask the applicant, who reads: {changes} Or refuse.")


# --- What reviewers are offered --------------------------------------------------------------------------------------


def offered(application: Application, at: datetime) -> Conditions:
    """Return what an approval is offered first: what was asked for, not longer than usual, at the usual quota."""
    programme = programme_facing(application)
    usual = latest_day(programme, at.date(), programme.default_days)
    day = min(application.requested_end, usual) if application.requested_end else usual
    return Conditions(tuple(application.functions), day, programme.quota)


def condition_limits(application: Application, conditions: Conditions, at: datetime) -> list[Problem]:
    """Return where conditions go beyond the programme."""
    return end_problems(programme_facing(application), conditions.last_day, at.date(), field="last_day")
