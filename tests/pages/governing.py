"""What tests of the governance pages share: a decided proposal with everything in it, and evidence of every outcome."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from release_portal.audit.services import record
from release_portal.evidence.checklist import ITEMS
from release_portal.evidence.models import ChecklistVersion, Evidence
from release_portal.releases.models import (
    Comment,
    CommentWindow,
    ExternalReview,
    Lock,
    PolicyVersion,
    Proposal,
    Vote,
    Waiver,
    WaiverVote,
)
from release_portal.releases.proposal_lookups import proposal_subject
from release_portal.releases.services import size_subject
from tests.world import World

DAY = timedelta(days=1)
OUTCOMES = ("pass", "fail", "inconclusive", "stale", "waived", "not_run")
PREVIEW = {
    "from": "research_hosted",
    "to": "public_hosted",
    "actions": [
        {
            "action": "generate",
            "gains": {"classes": ["signed_in", "role:board"], "holders": ["secret-holder"], "accounts": 7},
            "loses": {"classes": [], "holders": [], "accounts": 0},
        }
    ],
    "artefacts_opened": ["detector"],
    "artefacts_closed": [],
    "jobs_stopped": {},
    "copies_cannot_be_recalled": False,
}


def locked_result(number: int, outcome: str, evidence: int | None = None) -> dict[str, Any]:
    """One criterion as it is kept with a lock."""
    return {
        "criterion": f"C{number:02}",
        "title": f"Criterion number {number}",
        "outcome": outcome,
        "have": f"have {number}",
        "need": f"need {number}",
        "reason": f"Reason {number}.",
        "evidence": evidence,
        "evidence_digest": "e" * 64 if evidence else "",
    }


def decided(world: World, *, state: str = "observing") -> Proposal:
    """A proposal of jo's with a lock, votes, a waiver, a window, a review and a checklist; in any state."""
    at, size = world.at, world.size
    proposal = Proposal.objects.create(
        size=size,
        source="research_hosted",
        target="public_hosted",
        policy=PolicyVersion.objects.get(name="preset"),
        state=state,
        rationale="Six months without misuse.",
        conditions="Quotas stay as they are.",
        opened_by_id=world.actor("jo").id,
        opened_by="Jo",
        opened_at=at - 60 * DAY,
        approved_at=at - 20 * DAY,
        executed_at=at - 10 * DAY if state == "observing" else None,
        executed_by="Jo" if state == "observing" else "",
        soak_until=at + 20 * DAY,
    )
    evidence = attach(world, "C12")
    _lock(world, proposal, evidence.pk)
    _around(world, proposal)
    with transaction.atomic():
        data = {"proposal": proposal.pk, "state": state, "version": 1}
        subject = size_subject(size.slug)
        record("proposal.opened", actor=world.actor("jo"), subject=subject, at=at, reason="Opened.", data=data)
    return proposal


def attach(world: World, criterion: str, *, by: str = "ben", **more: Any) -> Evidence:
    """A document that somebody signed, as it stands before its review."""
    values: dict[str, Any] = {
        "kind": "document",
        "summary": f"What was found for {criterion}",
        "statement": "The words themselves.",
        "measured_at": world.at,
        "signer_id": world.actor(by).id,
        "signer": by,
        "signer_kind": "user",
        "created_at": world.at,
        "digest": "e" * 64,
    }
    return Evidence.objects.create(size=world.size, criterion=criterion, **{**values, **more})


def measure(world: World, criterion: str, value: str, low: str, high: str, *, at: datetime, n: int = 2000) -> Evidence:
    """A figure that the portal measured itself, so that it needs no review."""
    return attach(
        world,
        criterion,
        kind="measured",
        value=Decimal(value),
        ci_low=Decimal(low),
        ci_high=Decimal(high),
        n=n,
        measured_at=at,
        signer_id="measurement",
        signer="system: measurement",
        signer_kind="system",
        subject_digest=world.size.revisions.get(is_current=True).digest,
    )


def _lock(world: World, proposal: Proposal, evidence: int) -> Lock:
    results = [locked_result(number, outcome) for number, outcome in enumerate(OUTCOMES, 1)]
    checklist = _checklist(world, proposal)
    lock = Lock.objects.create(
        proposal=proposal,
        number=1,
        digest="a1" * 32,
        material={
            "policy": proposal.policy_id,
            "case": "c" * 64,
            "card": "d" * 64,
            "checklist": checklist.digest,
            "manifest": "b" * 64,
            "results": {},
        },
        results=[*results, locked_result(12, "pass", evidence)],
        preview=PREVIEW,
        locked_by_id=world.actor("jo").id,
        locked_by="Jo",
        locked_at=world.at - 30 * DAY,
    )
    vote(world, lock, "ada", "release_manager", "approve")
    vote(world, lock, "ben", "safety_reviewer", "object", answer="The limit is lowered.")
    return lock


def vote(world: World, lock: Lock, name: str, role: str, verdict: str, answer: str = "") -> Vote:
    """One standing vote, with reason and conflict note that name the voter."""
    return Vote.objects.create(
        lock=lock,
        person_id=world.actor(name).id,
        person=name.capitalize(),
        role=role,
        verdict=verdict,
        reason=f"{name} says why.",
        conflict_note=f"{name} has none.",
        confirmed_at=world.at,
        at=world.at - 25 * DAY,
        proposer_id=lock.proposal.opened_by_id,
        answer=answer,
        answered_by="Jo" if answer else "",
        answered_at=world.at - 24 * DAY if answer else None,
    )


def _checklist(world: World, proposal: Proposal) -> ChecklistVersion:
    answers = {str(item.id): {"answer": "yes", "reason": f"Because of {item.id}."} for item in ITEMS[:-2]}
    return ChecklistVersion.objects.create(
        size=world.size,
        subject=proposal_subject(proposal),
        number=1,
        answers=answers,
        signed_by_id=world.actor("jo").id,
        signed_by="Jo",
        signed_at=world.at - 31 * DAY,
        digest="f" * 64,
    )


def _around(world: World, proposal: Proposal) -> None:
    at = world.at
    window = CommentWindow.objects.create(
        proposal=proposal,
        kind="comment",
        text="What speaks against it?",
        opened_by="Jo",
        opened_at=at - 50 * DAY,
        closes_at=at - 35 * DAY,
    )
    said = {"window": window, "at": at - 40 * DAY}
    Comment.objects.create(author="A reader", text="Fine by me.", **said)
    answered = {"answer": "It is rate limited.", "answered_by": "Jo", "answered_at": at - 36 * DAY}
    Comment.objects.create(author="A critic", text="Too early.", is_objection=True, **answered, **said)
    ExternalReview.objects.create(
        proposal=proposal,
        reviewer_id=world.actor("gia").id,
        reviewer="Gia",
        terms="Free to publish.",
        fee="3,000 euro, paid by the lab",
        edit_rights="Only the reviewer.",
        invited_by="Jo",
        invited_at=at - 55 * DAY,
        due_at=at - 33 * DAY,
        report="The report in full.",
        report_digest="9" * 64,
        finding="supports",
        deposited_at=at - 34 * DAY,
    )
    waiver = Waiver.objects.create(
        proposal=proposal,
        criterion="C05",
        reason="The study ends next month.",
        asked_by_id=world.actor("jo").id,
        asked_by="Jo",
        asked_at=at - 45 * DAY,
        ends_at=at + 5 * DAY,
        granted_at=at - 44 * DAY,
    )
    WaiverVote.objects.create(
        waiver=waiver,
        person_id=world.actor("kim").id,
        person="Kim",
        role="board",
        reason="Agreed.",
        at=at - 44 * DAY,
        asked_by_id=waiver.asked_by_id,
    )
