"""Attach, measure and review evidence."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import Incomplete, InvalidInput, NotFound, NotNow, StaleVersion, error_of
from release_portal.evidence import rules
from release_portal.evidence.digests import content_digest, number_text
from release_portal.evidence.facts import ACCEPTED, REJECTED
from release_portal.evidence.lookups import decide_attach
from release_portal.evidence.measurers import measurable, measurer_of
from release_portal.evidence.models import DRAFT_FIELDS, Evidence, EvidenceReview
from release_portal.evidence.rules import EvidenceDraft
from release_portal.registry.models import ModelSize

MEASUREMENT = system_actor("measurement")
LONGEST_REASON = 2_000


class UnfitEvidence(Incomplete):
    """Evidence that says something impossible or says too little, at several fields perhaps."""

    status = 400
    code = "unfit_evidence"


def size_subject(size: ModelSize) -> str:
    """Return how the record names a size."""
    return f"size:{size.slug}"


@transaction.atomic
def attach_evidence(
    actor: Actor, size: ModelSize, draft: EvidenceDraft, *, expected_newest: int | None, at: datetime
) -> Evidence:
    """Sign and store evidence; it supersedes the newest of the same criterion.

    Args:
        actor: who signs it.
        size: what it is about.
        draft: what it says.
        expected_newest: id of the newest evidence for the criterion that the form showed; None or 0 for none.
        at: the time of signing.

    Raises:
        NotAllowed: the actor may not attach evidence.
        UnfitEvidence: the draft is impossible or lacks something, named field by field.
        StaleVersion: somebody attached other evidence for the criterion meanwhile.
    """
    _check(decide_attach(actor))
    newest = _newest_for(size, draft, at)
    if (newest.pk if newest else 0) != (expected_newest or 0):
        raise _other_evidence(newest, draft.criterion)
    return _store(actor, size, draft, newest, at=at)


@transaction.atomic
def measure_evidence(
    actor: Actor, size: ModelSize, draft: EvidenceDraft, *, at: datetime, asked_by: str = ""
) -> Evidence:
    """Store what the portal measured by itself, signed by a system actor; it needs no review.

    Args:
        asked_by: name of the person who had it measured; empty when a schedule did.
    """
    if not actor.is_system:
        raise ValueError("only a system actor signs what the portal measured")
    return _store(actor, size, draft, _newest_for(size, draft, at), at=at, asked_by=asked_by)


def measure_now(actor: Actor, size: ModelSize, criterion: str, *, at: datetime) -> Evidence:
    """Have the portal measure a criterion for a person; it measures before it writes, so nobody waits for the lock.

    Raises:
        NotAllowed: the actor may not attach evidence.
        InvalidInput: the portal has no measurement for the criterion.
        NotNow: the size cannot be measured.
    """
    _check(decide_attach(actor))
    measure = measurer_of(criterion)
    if measure is None:
        reason = f"The portal cannot measure {criterion} by itself."
        change = f"Attach evidence; the portal measures: {', '.join(measurable())}."
        raise InvalidInput(reason, field="criterion", rule="evidence: measure", change=change)
    return measure_evidence(MEASUREMENT, size, measure(size, at), at=at, asked_by=actor.name)


@transaction.atomic
def review_evidence(
    actor: Actor, size: ModelSize, evidence_id: int, verdict: str, *, reason: str = "", at: datetime
) -> EvidenceReview:
    """Accept or reject evidence that somebody else signed; the last review counts.

    Raises:
        NotFound: the size has no such evidence.
        NotAllowed: the actor may not review it.
        InvalidInput: unknown verdict, or a rejection without reason.
        NotNow: it is superseded, or the actor has reviewed it.
    """
    _lock(size)
    evidence = Evidence.objects.filter(size=size, pk=evidence_id).first()
    if evidence is None:
        raise NotFound("This size has no such evidence.", change="Look at the list of its evidence.")
    _check(rules.may_review(actor, evidence.signer_id))
    _check_review(actor, evidence, verdict, reason)
    review = EvidenceReview.objects.create(
        evidence=evidence,
        verdict=verdict,
        reason=reason.strip(),
        signer_id=evidence.signer_id,
        reviewer_id=actor.id,
        reviewer=actor.name,
        at=at,
    )
    data = {"criterion": evidence.criterion, "evidence": evidence.pk, "digest": evidence.digest}
    kind = "evidence.accepted" if verdict == ACCEPTED else "evidence.rejected"
    record(kind, actor=actor, subject=size_subject(size), at=at, reason=review.reason, data=data)
    return review


def _check_review(actor: Actor, evidence: Evidence, verdict: str, reason: str) -> None:
    if verdict not in (ACCEPTED, REJECTED):
        raise InvalidInput(f"{verdict!r} is not a verdict.", field="verdict", change="Choose accepted or rejected.")
    if verdict == REJECTED and not reason.strip():
        raise InvalidInput("A rejection needs a reason.", field="reason", change="Write what is wrong with it.")
    if len(reason) > LONGEST_REASON or not rules.is_text(reason):
        change = f"Write at most {LONGEST_REASON:,} characters of text."
        raise InvalidInput("The reason cannot be kept as it is.", field="reason", change=change)
    newest = _newest(evidence.size, evidence.criterion)
    if newest is not None and newest.pk != evidence.pk:
        reason = f"{newest.signer} attached newer evidence for {evidence.criterion}; this one no longer counts."
        raise NotNow(reason, code="superseded", rule="evidence: review", change="Review the newest evidence.")
    if evidence.reviews.filter(reviewer_id=actor.id).exists():
        reason = "You have reviewed this evidence; a review is never changed."
        raise NotNow(reason, code="reviewed", rule="evidence: review", change="Another reviewer may review it.")


def _store(
    actor: Actor, size: ModelSize, draft: EvidenceDraft, newest: Evidence | None, *, at: datetime, asked_by: str = ""
) -> Evidence:
    said = {name: getattr(draft, name) for name in DRAFT_FIELDS}
    said |= {"items": list(draft.items), "params": dict(draft.params)}
    evidence = Evidence(
        **said,
        size=size,
        signer_id=actor.id,
        signer=actor.name,
        signer_kind=actor.kind.value,
        created_at=at,
        supersedes=newest,
    )
    evidence.digest = content_digest(evidence.content())
    evidence.save(force_insert=True)
    record("evidence.attached", actor=actor, subject=size_subject(size), at=at, data=_event_data(evidence, asked_by))
    return evidence


def _event_data(evidence: Evidence, asked_by: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "criterion": evidence.criterion,
        "evidence": evidence.pk,
        "digest": evidence.digest,
        "supersedes": evidence.supersedes_id,
        "value": number_text(evidence.value),
    }
    return {**data, "asked_by": asked_by} if asked_by else data


def _check_draft(size: ModelSize, draft: EvidenceDraft, at: datetime) -> None:
    revisions = list(size.revisions.all())
    served = next((revision.digest for revision in revisions if revision.is_current), "")
    known = {revision.digest for revision in revisions}
    found = rules.problems(draft, served_digest=served, known_digests=known, at=at)
    if found:
        pairs = [(problem.field, f"{problem.reason} {problem.change}") for problem in found]
        raise UnfitEvidence(found[0].reason, pairs, rule="evidence: attach", change=found[0].change)


def _lock(size: ModelSize) -> None:
    ModelSize.objects.select_for_update().get(pk=size.pk)


def _newest_for(size: ModelSize, draft: EvidenceDraft, at: datetime) -> Evidence | None:
    """Lock the size, refuse an unfit draft, and return what the draft would supersede."""
    _lock(size)
    _check_draft(size, draft, at)
    return _newest(size, draft.criterion)


def _newest(size: ModelSize, criterion: str) -> Evidence | None:
    return Evidence.objects.filter(size=size, criterion=criterion).order_by("-pk").first()


def _other_evidence(newest: Evidence | None, criterion: str) -> StaleVersion:
    if newest is None:
        return StaleVersion(f"There is no evidence for {criterion} any more.", change="Look again, then attach yours.")
    reason = f"{newest.signer} attached evidence for {criterion} while this form was open: {newest.summary}"
    return StaleVersion(reason, change="Read it, then attach yours over it if it still counts.")


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
