"""Ask about a text, write down what the worker found, and give the report to whoever shows it."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction

from inference.contract import Function, Priority
from release_portal.access.lookups import SizeAccess, size_for
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput
from release_portal.detection.evidence import DETECTORS, measure, score_of
from release_portal.detection.layers import CANNOT_SAY, NOT_CALIBRATED, NOTICE, all_layers
from release_portal.detection.limits import check_length, most_tokens, read_text, refuse, too_long
from release_portal.detection.models import DetectionReport
from release_portal.jobs.models import Job
from release_portal.jobs.prompts import tokens_in
from release_portal.jobs.services import JobRequest, submit_job
from release_portal.jobs.workers import require_service
from release_portal.provenance.services import match

logger = logging.getLogger(__name__)


# A page stands open until the report is there; the API answers at once, and the report is fetched later.
PRIORITIES = {"web": Priority.INTERACTIVE, "api": Priority.BATCH}


def detect(
    actor: Actor,
    size: str,
    text: str,
    *,
    at: datetime,
    interface: str = "web",
    submit_key: str | None = None,
    purpose: str = "",
) -> DetectionReport:
    """Compare a text with the portal's own record and have a size score it; the same submit_key is the same report.

    Raises:
        PortalError: what the policy or the quota say; InvalidInput at the field `text` for one that is too short, too
            long or outside the vocabulary; Unavailable when no worker can take it.
    """
    read = read_text(text)
    access = size_for(actor, size, Action.DETECT, at=at)
    check_length(_count(access, read), most_tokens(access.size.context), access.size.name)
    request = JobRequest(
        size=access.size.slug,
        function=Function.SCORE,
        prompt=read,
        interface=interface,
        # Keys are one namespace for all of an account's jobs.
        submit_key=f"detect:{submit_key}"[:80] if submit_key else None,
        purpose=purpose,
        priority=PRIORITIES[interface],
    )
    found = match(read, at=at)
    require_service(at=at)  # a Redis that does not answer must not be waited for inside the transaction
    with transaction.atomic():
        job = submit_job(actor, request, at=at)
        report, _ = DetectionReport.objects.select_related("size", "job").get_or_create(
            job=job,
            defaults={
                "owner_id": actor.account_id,
                "size": access.size,
                "sealed_text": DetectionReport.sealed(read),
                "text_sha256": hashlib.sha256(read.encode()).hexdigest(),
                "match_data": found.to_data(),
                "created_at": at,
            },
        )
    return report


def _count(access: SizeAccess, text: str) -> int:
    """Count the tokens of a text; what the tokenizer cannot take is said of the text, not of a prompt."""
    revision = access.size.current_revision
    assert revision is not None  # the policy refuses sizes without weights
    try:
        return tokens_in(access.size, revision, text, most_new=0)
    except InvalidInput as error:
        if error.code == "context_exceeded":
            raise too_long(access.size.name, most_tokens(access.size.context)) from error
        raise refuse(error.reason, error.change, code="text_not_covered") from error


def store_evidence(job: Job, samples: list[dict[str, Any]], at: datetime) -> None:
    """Write the numbers of a score into its report; runs in the settlement's transaction.

    A score that failed leaves the report without evidence, and the job says why.
    """
    report = DetectionReport.objects.filter(job=job, evidence_data__isnull=True).first()
    if report is None or not samples:
        return
    try:
        evidence = measure(score_of(samples[0]))
    except (KeyError, TypeError, ValueError):  # a worker of another version: the job must still end
        logger.exception("the score of %s cannot be read", job.pk)
        return
    report.evidence_data, report.detectors, report.scored_at = evidence.to_data(), dict(DETECTORS), at
    report.save(update_fields=["evidence_data", "detectors", "scored_at"])


def report_payload(report: DetectionReport) -> dict[str, Any]:
    """Return a report as JSON knows it; for its owner only, since it holds what the text says token by token."""
    evidence = report.evidence
    return {
        "id": report.pk,
        "state": report.state,
        "message": report.job.message,
        "size": report.size.slug,
        "weights_digest": report.job.weights_digest,
        "text_sha256": report.text_sha256,
        "created_at": report.created_at.isoformat(),
        "scored_at": report.scored_at.isoformat() if report.scored_at else None,
        "calibration": NOT_CALIBRATED,
        "notice": NOTICE,
        "cannot_say": list(CANNOT_SAY),
        "layers": [layer.to_data() for layer in all_layers(report.match, evidence, report.size.name)],
        "record": report.match.to_data() | {"share": report.match.share},
        "evidence": evidence.to_data() | {"rank_fractions": list(evidence.ranks.fractions)} if evidence else None,
        "detectors": report.detectors,
        "charged_tokens": report.job.charged_tokens,
        "tokens": [asdict(token) for token in report.tokens],
    }
