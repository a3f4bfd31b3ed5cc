"""The desk's side: triage a report, write to its reporter, act on it, close it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction

from release_portal.access.lookups import grant_for
from release_portal.access.services import suspend_grant
from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import InvalidInput, NotFound, StaleVersion, error_of
from release_portal.core.keys import seal
from release_portal.jobs.models import Job
from release_portal.misuse.categories import category_of
from release_portal.misuse.filing import check_text, record_message, report_subject
from release_portal.misuse.lookups import decision_on
from release_portal.misuse.matching import write_matches
from release_portal.misuse.models import MisuseReport, ReportAction, ReportMessage, sealed
from release_portal.misuse.report_rules import (
    CLOSED,
    DECLINE_REASONS,
    DECLINED,
    DUPLICATE,
    NEEDS_INFO,
    OUTCOMES,
    TRIAGED,
    ActionKind,
    Verdict,
    has_ground,
    may_merge,
)
from release_portal.misuse.severities import BLOCKS_WIDENING, SEVERITIES, decision_due, severity_of
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import PLAIN, STOP
from release_portal.releases.hold_services import raise_hold, release_hold
from release_portal.releases.models import Hold

RULE = system_actor("misuse rule")


@dataclass(frozen=True)
class Triage:
    """What an officer found at triage.

    Args:
        verdict: accept, decline or merge.
        severity: 0 to 4, when accepted.
        category: code, when accepted; "not sure" is for reporters.
        size: slug of the size concerned, or empty.
        decline_code: why, when declined.
        duplicate_of: number of the other report, when merged.
        outcome: what the reporter is told beyond the reason, when declined.
        note: for staff.
    """

    verdict: str
    severity: int | None = None
    category: str = ""
    size: str = ""
    decline_code: str = ""
    duplicate_of: int | None = None
    outcome: str = ""
    note: str = ""


@dataclass(frozen=True)
class Measure:
    """An action that an officer orders.

    Args:
        kind: suspend_grant, hold_size or stop_size.
        target: id of the grant, or slug of the size.
        reason: the holder, or the public timeline, reads it.
        job_id: the match in the record on which it rests, or empty.
        finding: what a person found, when there is no match.
        target_version: version of the grant that the officer saw.
    """

    kind: str
    target: str
    reason: str
    job_id: str = ""
    finding: str = ""
    target_version: int = 0


@transaction.atomic
def triage(actor: Actor, report_id: int, found: Triage, *, expected_version: int, at: datetime) -> MisuseReport:
    """Accept a report with severity and category, decline it with a reason, or merge it into another.

    Raises:
        InvalidInput: something of the verdict is missing.
        NotAllowed, NotNow: the lifecycle, or who asks.
        StaleVersion: somebody decided meanwhile.
    """
    if found.verdict not in set(Verdict):
        raise InvalidInput("Choose what you found.", field="verdict", change="Accept, decline or merge the report.")
    report = _locked(actor, found.verdict, report_id, expected_version)
    check_text(found.note, "note", "", optional=True)
    if found.verdict == Verdict.ACCEPT:
        _accept(report, found, at)
    elif found.verdict == Verdict.DECLINE:
        _decline(report, found, at)
    else:
        _merge(report, found, at)
    report.sealed_note = sealed(found.note.strip()) or report.sealed_note
    _save(report)
    data = {
        "verdict": found.verdict,
        "severity": report.severity,
        "category": report.category,
        "size": report.size.slug if report.size else "",
        "duplicate_of": report.duplicate_of_id,
        **_standing(report),
    }
    record(
        "report.triaged",
        actor=actor,
        subject=report_subject(report),
        at=at,
        reason=report.decline_code,
        data=data,
    )
    return report


@transaction.atomic
def write_to_reporter(
    actor: Actor, report_id: int, text: str, *, is_question: bool, expected_version: int, at: datetime
) -> ReportMessage:
    """Write to the reporter; a question pauses the clock until they answer."""
    report = _locked(actor, "ask" if is_question else "write", report_id, expected_version)
    check_text(text, "message", "Write the message.")
    _refuse_identity_elsewhere(report, text, "message")
    message = ReportMessage.objects.create(
        report=report, is_from_staff=True, by_id=actor.id, by_name=actor.name, sealed_text=seal(text.strip()), at=at
    )
    if is_question:
        report.state, report.due_at = NEEDS_INFO, None
    _save(report)
    record_message(actor, report, "staff", at)
    return message


@transaction.atomic
def look_up_text(actor: Actor, report_id: int, text: str, *, expected_version: int, at: datetime) -> int:
    """Look for another text of the case in the record of generations, e.g. what a link shows; return the matches."""
    report = _locked(actor, "write", report_id, expected_version)
    check_text(text, "passage", "Paste the text.")
    count = write_matches(report, text, at=at)
    _save(report)
    record(
        "report.matched",
        actor=actor,
        subject=report_subject(report),
        at=at,
        data={"matches": count, **_standing(report)},
    )
    return count


@transaction.atomic
def act(actor: Actor, report_id: int, measure: Measure, *, expected_version: int, at: datetime) -> ReportAction:
    """Suspend a grant, hold a size or stop its use because of an accepted report; both or neither is written.

    Raises:
        InvalidInput: no reason, or neither a match nor a finding to rest on.
        NotAllowed, NotNow, StaleVersion: the report's lifecycle, or the rule of the measure itself.
    """
    report = _locked(actor, "act", report_id, expected_version)
    job = _ground(report, measure)
    _refuse_identity_elsewhere(report, measure.reason, "reason")
    action = ReportAction(report=report, kind=_kind(measure.kind).value, job=job, finding=measure.finding.strip())
    action.reason, action.by_id, action.by_name, action.at = measure.reason.strip(), actor.id, actor.name, at
    _carry_out(actor, action, measure, at)
    action.save()
    _save(report)
    record(
        "report.acted",
        actor=actor,
        subject=report_subject(report),
        at=at,
        reason=action.reason,
        data={
            "kind": action.kind,
            "target": measure.target,
            "ground": "record" if job else "finding",
            **_standing(report),
        },
    )
    return action


@transaction.atomic
def close_report(
    actor: Actor,
    report_id: int,
    *,
    outcome_code: str,
    outcome: str,
    releases_hold: bool,
    expected_version: int,
    at: datetime,
) -> MisuseReport:
    """End a case with an outcome for the reporter; the hold that its rule raised ends with it, said explicitly.

    Raises:
        InvalidInput: no outcome, or a hold of the case is open and its release was not said.
    """
    report = _locked(actor, "close", report_id, expected_version)
    if outcome_code not in OUTCOMES:
        raise InvalidInput("An outcome is needed.", field="outcome_code", change="Choose one from the list.")
    check_text(outcome, "outcome", "Write what the reporter shall read.")
    _refuse_identity_elsewhere(report, outcome, "outcome")  # reporters of duplicates read it as well
    _release_holds(actor, report, is_said=releases_hold, at=at)
    report.state, report.outcome_code, report.sealed_outcome = CLOSED, outcome_code, seal(outcome.strip())
    report.closed_at, report.due_at = at, None
    _save(report)
    data = {"outcome": outcome_code, "severity": report.severity, **_standing(report)}
    record("report.closed", actor=actor, subject=report_subject(report), at=at, reason=outcome_code, data=data)
    return report


def case_holds(report: MisuseReport) -> list[Hold]:
    """Return the open holds that this case raised by rule."""
    return list(Hold.objects.open().of_case(report_subject(report)).select_related("size"))


def _accept(report: MisuseReport, found: Triage, at: datetime) -> None:
    if found.severity is None or not 0 <= found.severity < len(SEVERITIES):
        raise InvalidInput("A severity is needed.", field="severity", change="Choose the sentence that fits best.")
    if category_of(found.category) is None:
        raise InvalidInput("A category is needed.", field="category", change="At a decision, not sure is no category.")
    report.size = _size(found.size)
    report.severity = report.urgency = found.severity
    report.category, report.state = found.category, TRIAGED
    report.triaged_at = report.triaged_at or at
    report.due_at = decision_due(report.received_at, found.severity)
    _hold_by_rule(report, at)


def _hold_by_rule(report: MisuseReport, at: datetime) -> None:
    """An accepted case of high severity blocks widening of the size that it names, signed by the rule."""
    if report.size is None or report.urgency < BLOCKS_WIDENING:
        return
    if any(hold.size_id == report.size_id for hold in case_holds(report)):
        return
    reason = f"An accepted misuse report of severity {severity_of(report.urgency).name} about this size is open."
    raise_hold(RULE, report.size, reason=reason, at=at, case=report_subject(report))


def _decline(report: MisuseReport, found: Triage, at: datetime) -> None:
    if found.decline_code not in DECLINE_REASONS:
        raise InvalidInput("A reason is needed.", field="decline_code", change="The reporter reads it.")
    check_text(found.outcome, "outcome", "", optional=True)
    report.state, report.decline_code, report.sealed_outcome = (
        DECLINED,
        found.decline_code,
        sealed(found.outcome.strip()),
    )
    report.triaged_at = report.closed_at = at
    report.due_at = None


def _merge(report: MisuseReport, found: Triage, at: datetime) -> None:
    target = MisuseReport.objects.select_for_update().filter(pk=found.duplicate_of or 0).first()
    if target is None:
        raise InvalidInput("There is no such report.", field="duplicate_of", change="Give the number of a report.")
    decision = may_merge(report.pk, target.pk, target.state)
    if not decision:
        raise error_of(decision)
    report.state, report.duplicate_of, report.triaged_at, report.due_at = DUPLICATE, target, at, None
    report.duplicates.update(duplicate_of=target)  # who followed this report follows the other one now


def _ground(report: MisuseReport, measure: Measure) -> Job | None:
    """Find what the action rests on: a match that the record really holds, or a person's finding."""
    match = report.matches.select_related("job").filter(job_id=measure.job_id).first() if measure.job_id else None
    if measure.job_id and match is None:
        raise InvalidInput(
            "This generation is no match of this report.", field="finding", change="Choose one of the matches shown."
        )
    decision = has_ground(is_recorded=match is not None, finding=measure.finding)
    if not decision:
        raise InvalidInput(
            decision.reason, code=decision.code, field="finding", rule=decision.rule, change=decision.change
        )
    check_text(measure.finding, "finding", "", optional=True)
    check_text(measure.reason, "reason", "Write why, for those whom it concerns.")
    return match.job if match else None


def _kind(written: str) -> ActionKind:
    try:
        return ActionKind(written)
    except ValueError as error:
        raise InvalidInput("There is no such action.", field="kind", change="Choose one from the page.") from error


def _carry_out(actor: Actor, action: ReportAction, measure: Measure, at: datetime) -> None:
    if action.kind == ActionKind.SUSPEND_GRANT:
        grant = grant_for(actor, measure.target)
        suspend_grant(actor, grant.pk, reason=action.reason, expected_version=measure.target_version, at=at)
        action.grant = grant
        return
    size = _size(measure.target)
    if size is None:
        raise InvalidInput("Name the size.", field="target", change="Choose one from the page.")
    level = STOP if action.kind == ActionKind.STOP_SIZE else PLAIN
    action.hold = raise_hold(actor, size, reason=action.reason, level=level, at=at)


def _release_holds(actor: Actor, report: MisuseReport, *, is_said: bool, at: datetime) -> None:
    holds = case_holds(report)
    if holds and not is_said:
        names = ", ".join(hold.size.name for hold in holds)
        raise InvalidInput(
            f"This case holds {names}; closing it releases the hold.",
            field="releases_hold",
            change="Say so here, or leave the case open. A hold of your own goes on.",
        )
    for hold in holds:
        release_hold(actor, hold.pk, reason="The misuse case that raised it is closed.", at=at, case=hold.case)


def _size(slug: str) -> ModelSize | None:
    if not slug:
        return None
    size = ModelSize.objects.filter(slug=slug[:96].replace("\x00", "")).first()
    if size is None:
        raise InvalidInput("This size does not exist.", field="size", change="Choose one from the list.")
    return size


def _refuse_identity_elsewhere(report: MisuseReport, text: str, field: str) -> None:
    """Keep the reporter's address out of what others read; officers write in a hurry."""
    contact = report.contact
    if contact and contact.casefold() in text.casefold():
        raise InvalidInput(
            "This holds the reporter's address, and others will read it.", field=field, change="Take the address out."
        )


def _locked(actor: Actor, command: str, report_id: int, expected_version: int) -> MisuseReport:
    report = MisuseReport.objects.select_for_update(of=("self",)).select_related("size").filter(pk=report_id).first()
    if report is None:
        raise NotFound("There is no such report.", change="Reports are listed in the queue.")
    decision = decision_on(command, actor, report)
    if not decision:
        raise error_of(decision)
    if report.version != expected_version:
        raise StaleVersion(
            f"The report changed while this form was open; it is {report.state.replace('_', ' ')} now.",
            change="Look again, then decide.",
        )
    return report


def _save(report: MisuseReport) -> None:
    report.version += 1
    report.save()


def _standing(report: MisuseReport) -> dict[str, str | int]:
    return {"state": report.state, "version": report.version}
