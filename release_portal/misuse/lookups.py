"""The only way to a report for staff: fetch and authorise in one call. Reporters come by code (`filing.py`)."""

from __future__ import annotations

from django.db.models import Q

from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, may_not
from release_portal.core.errors import NotFound, error_of
from release_portal.misuse.filing import is_filer
from release_portal.misuse.models import MisuseReport, MisuseReportQuerySet, RecordMatch, ReportAction
from release_portal.misuse.report_rules import TRIAGE_ROLES, may_decide


def reports_for(actor: Actor) -> MisuseReportQuerySet:
    """Return the reports that the actor may triage or read: none about their own use, none for a token."""
    reports = MisuseReport.objects.select_related("size", "size_guess", "duplicate_of")
    if actor.scopes is not None or not actor.has_role(*TRIAGE_ROLES):
        return reports.none()
    return reports.exclude(_about(actor))


def report_for(actor: Actor, report_id: int) -> MisuseReport:
    """Return one report with what belongs to it; what is about the actor's own use is refused."""
    report = reports_for(actor).filter(pk=report_id).first()
    if report is not None:
        return report
    if actor.has_role(*TRIAGE_ROLES) and MisuseReport.objects.filter(pk=report_id).exists():
        raise error_of(
            may_not("subject", "This report is about your own use.", "report: read", "Another officer decides on it.")
        )
    raise NotFound("There is no such report.", change="Reports are listed in the queue.")


def decision_on(name: str, actor: Actor, report: MisuseReport) -> Decision:
    """Return whether the actor may give a command on a report now."""
    return may_decide(
        name, actor, report.state, is_reporter=is_filer(actor, report), is_subject=is_subject(actor, report)
    )


def is_subject(actor: Actor, report: MisuseReport) -> bool:
    """Whether the report is about work under the actor's own account or grant."""
    return actor.is_person and MisuseReport.objects.filter(_about(actor), pk=report.pk).exists()


def is_under_report(account_id: int) -> bool:
    """Whether a report is open that is about work under an account; not which, nor whose."""
    return MisuseReport.objects.open().filter(_about_account(account_id)).exists()


def _about(actor: Actor) -> Q:
    return _about_account(actor.account_id)


def _about_account(account_id: int) -> Q:
    ids = RecordMatch.objects.filter(Q(job__account_id=account_id) | Q(job__grant__holder_id=account_id))
    acted = ReportAction.objects.filter(grant__holder_id=account_id).values("report_id")
    return Q(pk__in=ids.values("report_id")) | Q(pk__in=acted)
