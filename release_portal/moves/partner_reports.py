"""Partner reports: what a partner found out about misuse of a size; an adverse one holds it and must be answered."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db import transaction

from release_portal.access.governed import of_visible_sizes
from release_portal.access.grant_rules import ACTIVE
from release_portal.access.models import Grant
from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.decisions import Decision, allow, may_not, not_now
from release_portal.core.errors import InvalidInput, NotFound, error_of
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import PartnerReport
from release_portal.releases.services import size_subject

RULE = system_actor("release rule")
ANSWERERS = ("partner_lead", "release_manager", "safety_reviewer")
LONGEST = 50_000


@transaction.atomic
def deposit_partner_report(
    actor: Actor, size: ModelSize, *, report: str, is_adverse: bool, at: datetime
) -> PartnerReport:
    """Deposit a report under an active partner grant; it is never edited, and an adverse one holds the size."""
    grant = partner_grant(actor, size, at)
    _check(may_deposit(actor, grant))
    assert grant is not None  # what may_deposit has checked
    text = _checked(report, "report", "Write what was studied and what was found.")
    deposited = PartnerReport.objects.create(
        size=size,
        partner_id=actor.id,
        partner=actor.name,
        grant_id=grant.pk,
        report=text,
        report_digest=hashlib.sha256(text.encode()).hexdigest(),
        is_adverse=is_adverse,
        deposited_at=at,
    )
    data = {"report": deposited.pk, "is_adverse": is_adverse, "digest": deposited.report_digest}
    record("partner_report.deposited", actor=actor, subject=size_subject(size.slug), at=at, data=data)
    if is_adverse:
        raise_hold(RULE, size, reason="A partner has deposited an adverse report on this size.", at=at)
    return deposited


@transaction.atomic
def answer_partner_report(actor: Actor, report_id: int, *, answer: str, at: datetime) -> PartnerReport:
    """Answer a report once; its hold goes on until somebody releases it."""
    deposited = (
        PartnerReport.objects.select_for_update(of=("self",)).select_related("size").filter(pk=report_id).first()
    )
    if deposited is None:
        raise NotFound("There is no such report.", change="The reports on a size are listed on its page.")
    _check(may_answer(actor, is_answered=deposited.answered_at is not None))
    deposited.answer = _checked(answer, "answer", "Write what was done about it, or why nothing is to be done.")
    deposited.answered_by, deposited.answered_at = actor.name, at
    deposited.save(update_fields=["answer", "answered_by", "answered_at"])
    subject, data = size_subject(deposited.size.slug), {"report": deposited.pk}
    record("partner_report.answered", actor=actor, subject=subject, at=at, data=data)
    return deposited


def may_deposit(actor: Actor, grant: Grant | None) -> Decision:
    """Decide whether the actor may deposit a report under this grant."""
    rule = "partner report: deposit"
    if actor.scopes is not None or grant is None:
        reason = "A report is deposited by a partner whose grant for this size is active."
        return may_not("partner", reason, rule, "Apply for a partner grant, or report misuse.")
    return allow("partner", "Your partner grant covers it.", rule)


def may_answer(actor: Actor, *, is_answered: bool = False) -> Decision:
    """Decide whether the actor may answer a report."""
    rule = "partner report: answer"
    if actor.scopes is not None or not actor.has_role(*ANSWERERS):
        reason = "It is answered by a partner lead, release manager or safety reviewer."
        return may_not("role", reason, rule, "Ask one of them.")
    if is_answered:
        return not_now("answered", "This report has its answer.", rule, "Nothing is left to do.")
    return allow("staff", "Staff answer what partners report.", rule)


def partner_grant(actor: Actor, size: ModelSize, at: datetime) -> Grant | None:
    """Return the actor's active partner grant for a size; a suspended cohort may still report."""
    held = Grant.objects.held_by(actor.id if actor.is_person else "").filter(sizes=size, kind="partner")
    grants = held.prefetch_related("functions", "suspensions")
    return next((grant for grant in grants if grant.state_at(at) == ACTIVE), None)


def report_for(actor: Actor, report_id: int, *, at: datetime) -> PartnerReport:
    """Return a report on a size that the actor may see: any for those who answer, else their own."""
    reports = of_visible_sizes(actor, PartnerReport.objects.all(), at=at)
    if not may_answer(actor):
        reports = reports.filter(partner_id=actor.id) if actor.is_person else reports.none()
    found = reports.filter(pk=report_id).first()
    if found is None:
        raise NotFound("There is nothing here.", change="The reports on a size are listed on its page.")
    return found


def reports_for(actor: Actor, size: ModelSize) -> list[PartnerReport]:
    """Return every report on a size for those who answer, and their own for everybody else."""
    reports = PartnerReport.objects.filter(size=size)
    if may_answer(actor):
        return list(reports)
    return list(reports.filter(partner_id=actor.id)) if actor.is_person else []


def _checked(text: str, field: str, change: str) -> str:
    if not text.strip():
        raise InvalidInput("This is needed.", field=field, change=change)
    if len(text) > LONGEST:
        raise InvalidInput(f"This is longer than {LONGEST} characters.", field=field, change="Shorten it.")
    return text.strip()


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
