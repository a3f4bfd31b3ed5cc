"""What the rules say of an application: before it is sent, and what was kept when it was."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from release_portal.access.application_rules import DRAFT, Answers
from release_portal.access.completeness import missing_from
from release_portal.access.models import Application
from release_portal.access.programmes.applying import preview
from release_portal.access.programmes.eligibility import EVALUATOR, Trace
from release_portal.access.programmes.programme_rules import Programme
from release_portal.access.programmes.services import form_of
from release_portal.accounts.models import User
from release_portal.core.actors import Actor
from release_portal.registry.models import ModelSize


def own_preview(
    actor: Actor, size: ModelSize, answers: Answers, programme: Programme, at: datetime, *, renews: str = ""
) -> Trace:
    """Return which checks would fail now for the actor's own words."""
    applicant = User.objects.get(pk=actor.account_id)
    return preview(applicant, size, answers, programme, at, renews=renews)


def checks_of(application: Application, at: datetime) -> dict[str, Any]:
    """Return what was kept when an application was handed in; for a draft what would fail now, and what it lacks."""
    kept = application.traces.first()
    if kept is not None:
        found = {"outcome": kept.outcome, "lines": kept.lines, "programme": kept.programme_id, "at": kept.at}
        return {**found, "evaluator": kept.evaluator, "is_preview": False, "missing": []}
    programme, renews = form_of(application, at), application.renews_id or ""
    trace = preview(application.applicant, application.size, application.answers(), programme, at, renews=renews)
    missing = missing_from(application, at=at) if application.state == DRAFT else []
    found = {"outcome": trace.outcome, "lines": trace.stored(), "programme": trace.digest, "at": at}
    return {**found, "evaluator": EVALUATOR, "is_preview": True, "missing": missing}
