"""Fetch a detection report for somebody who may see it: its owner, and nobody else."""

from __future__ import annotations

from django.db.models import QuerySet

from release_portal.core.actors import Actor
from release_portal.core.decisions import may_not
from release_portal.core.errors import NotFound, error_of
from release_portal.detection.models import DetectionReport
from release_portal.jobs.models import Job


def reports_for(actor: Actor) -> QuerySet[DetectionReport]:
    """Return the actor's own reports, newest first; a token needs the scope detect."""
    if not actor.is_person:
        return DetectionReport.objects.none()
    if actor.scopes is not None and "detect" not in actor.scopes:
        reason = "This token does not carry the scope detect."
        raise error_of(may_not("scope", reason, "token scope x read reports", "Create a token with the scope detect."))
    return DetectionReport.objects.filter(owner_id=actor.account_id).select_related("size", "size__family", "job")


def report_for(actor: Actor, report_id: str) -> DetectionReport:
    """Return one of the actor's own reports."""
    report = reports_for(actor).filter(pk=report_id).first()
    if report is None:
        raise NotFound("There is nothing here.", change="Your reports are listed on the detection page.")
    return report


def report_of_job(job: Job) -> str | None:
    """Return the id of the report for which a job scores a text; None for a job that was fetched for anything else."""
    return DetectionReport.objects.filter(job=job).values_list("pk", flat=True).first()
