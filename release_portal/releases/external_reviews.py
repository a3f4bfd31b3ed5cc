"""Invite external reviewers, take their acceptance of the terms, take their report."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db import transaction

from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import InvalidInput, NotFound, StaleVersion
from release_portal.notices.services import notify
from release_portal.releases.consultation_rules import (
    LONGEST_REPORT,
    decide_review,
    due_problem,
    may_invite,
    review_state,
    text_problem,
)
from release_portal.releases.hold_services import raise_hold
from release_portal.releases.models import ExternalReview, Proposal
from release_portal.releases.models.consultation import ADVERSE, CONCERNS, SUPPORTS
from release_portal.releases.policy_services import policy_of
from release_portal.releases.preparation import (
    check,
    check_input,
    locked_proposal,
    named,
    path_of,
    subject_of,
    workspace_path_of,
)
from release_portal.releases.preparation_rules import instant, may_go_on, may_prepare, written

RULE = system_actor("release rule")
FINDINGS = (SUPPORTS, CONCERNS, ADVERSE)
LONGEST = {"terms": 20_000, "fee": 200, "edit_rights": 300}


@transaction.atomic
def invite_reviewer(
    actor: Actor,
    proposal_id: int,
    *,
    reviewer: User,
    terms: str,
    fee: str,
    edit_rights: str,
    due_at: datetime,
    at: datetime,
) -> ExternalReview:
    """Invite somebody from outside to review a proposal; they and everybody see the terms.

    Raises:
        NotAllowed, NotNow: the rule says no; the person is no external reviewer, or is invited already.
        InvalidInput: terms, fee or edit rights are not stated, or the time is shorter than the policy gives.
    """
    proposal = locked_proposal(proposal_id, may_prepare, "review: invite")
    roles = frozenset(reviewer.role_assignments.values_list("role", flat=True)) if reviewer.is_active else frozenset()
    others = [one.reviewer_id for one in proposal.external_reviews.all()]
    check(may_invite(actor, str(reviewer.pk), roles, others, proposal.opened_by_id))
    stated = _stated(terms=terms, fee=fee, edit_rights=edit_rights)
    check_input("due_at", due_problem(due_at, at, policy_of(proposal.policy).review_working_days))
    review = ExternalReview.objects.create(
        proposal=proposal,
        reviewer_id=str(reviewer.pk),
        reviewer=reviewer.username,
        invited_by=actor.name,
        invited_at=at,
        due_at=instant(due_at),
        **stated,
    )
    _record("review.invited", actor, review, at, due_at=review.due_at.isoformat())
    words = {"size": proposal.size.name, "due": written(review.due_at), "by": actor.name}
    notify(reviewer, "review_invited", words, at=at, path=workspace_path_of(proposal))
    return review


def _stated(**texts: str) -> dict[str, str]:
    """Terms, fee and edit rights, each of which must say something."""
    for field, text in texts.items():
        check_input(field, text_problem(text, LONGEST[field]), "State it, even if there is none; everybody reads it.")
    return {field: text.strip() for field, text in texts.items()}


@transaction.atomic
def accept_terms(actor: Actor, proposal_id: int, *, at: datetime) -> ExternalReview:
    """Accept the terms of one's own review; only then a report can be deposited."""
    proposal = locked_proposal(proposal_id, may_go_on, "review: accept")
    review = _own(actor, proposal)
    check(decide_review("accept", state_of(review), actor, review.reviewer_id))
    review.accepted_at = at
    _save(review, "accepted_at")
    _record("review.terms_accepted", actor, review, at)
    return review


@transaction.atomic
def deposit_review(
    actor: Actor, proposal_id: int, *, report: str, finding: str, expected_version: int, at: datetime
) -> ExternalReview:
    """Deposit one's report, which nobody changes afterwards; an adverse finding holds the size.

    Args:
        finding: supports, concerns or adverse.

    Raises:
        NotAllowed, NotNow: the rule says no: the terms are not accepted, or a report is there.
        InvalidInput: an unknown finding, or a report that is empty or too long.
        StaleVersion: the review changed while the form was open.
    """
    proposal = locked_proposal(proposal_id, may_go_on, "review: deposit")
    review = _own(actor, proposal)
    check(decide_review("deposit", state_of(review), actor, review.reviewer_id))
    if review.version != expected_version:
        raise StaleVersion("The review changed while this form was open.", change="Look again, then deposit.")
    check_input("report", text_problem(report, LONGEST_REPORT))
    if finding not in FINDINGS:
        raise InvalidInput(f"{finding!r} is no finding.", field="finding", change=f"Choose: {', '.join(FINDINGS)}.")
    review.report, review.finding, review.deposited_at = report, finding, at
    review.report_digest = hashlib.sha256(report.encode()).hexdigest()
    _save(review, "report", "finding", "deposited_at", "report_digest")
    _record("review.deposited", actor, review, at, finding=finding, digest=review.report_digest)
    _tell_proposer(proposal, review, at)
    _hold_if_adverse(review, at)
    return review


def _tell_proposer(proposal: Proposal, review: ExternalReview, at: datetime) -> None:
    proposer = User.objects.filter(pk=int(proposal.opened_by_id)).first() if proposal.opened_by_id.isdigit() else None
    if proposer is not None:
        words = {"size": proposal.size.name, "reviewer": review.reviewer, "finding": review.finding}
        notify(proposer, "review_deposited", words, at=at, path=path_of(proposal))


def _hold_if_adverse(review: ExternalReview, at: datetime) -> None:
    """The hold stands for itself, without a case, so that a person can release it once the report is answered."""
    if review.finding == ADVERSE:
        reason = f"The external reviewer {review.reviewer} deposited an adverse report."
        raise_hold(RULE, review.proposal.size, reason=reason, at=at)


def review_of(actor: Actor, proposal: Proposal) -> ExternalReview | None:
    """Return the actor's own review of a proposal, or None when they were not invited."""
    if not actor.is_person:
        return None
    return ExternalReview.objects.filter(proposal=proposal, reviewer_id=actor.id).first()


def state_of(review: ExternalReview) -> str:
    """Return whether the reviewer is invited, has accepted the terms, or has deposited the report."""
    return review_state(is_accepted=review.accepted_at is not None, is_deposited=review.deposited_at is not None)


def _own(actor: Actor, proposal: Proposal) -> ExternalReview:
    review = review_of(actor, proposal)
    if review is None:
        raise NotFound("You were not invited to review this proposal.", change="A release manager invites reviewers.")
    return review


def _save(review: ExternalReview, *fields: str) -> None:
    review.version += 1
    review.save(update_fields=[*fields, "version"])


def _record(kind: str, actor: Actor, review: ExternalReview, at: datetime, **more: str) -> None:
    data = named(review.proposal, review=review.pk, reviewer=review.reviewer, **more)
    record(kind, actor=actor, subject=subject_of(review.proposal), at=at, data=data)
