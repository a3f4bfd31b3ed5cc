"""Chain ended jobs to the record in batches, by the root of their facts."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from django.db import transaction

from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.jobs.models import Job

BATCH = 1_000
FIELDS = (
    "id", "account_id", "grant_id", "function", "state", "finish_reason", "stage", "policy_version", "card_version",
    "weights_digest", "prompt_tokens", "completion_tokens", "charged_tokens",
)  # fmt: skip


def leaf(job: Job) -> str:
    """Return the digest of what a job's row says of its permission and its cost."""
    facts = {name: getattr(job, name) for name in FIELDS} | {"size": job.size.slug}
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def merkle_root(leaves: list[str]) -> str:
    """Return the root over hex digests, in order; inner nodes and leaves are hashed apart (RFC 6962)."""
    level = [hashlib.sha256(b"\x00" + bytes.fromhex(one)).digest() for one in leaves]
    while len(level) > 1:
        pairs = [level[i : i + 2] for i in range(0, len(level), 2)]
        level = [hashlib.sha256(b"\x01" + b"".join(pair)).digest() if len(pair) == 2 else pair[0] for pair in pairs]
    return level[0].hex()


@transaction.atomic
def seal_jobs(actor: Actor, *, at: datetime) -> int:
    """Write one event with the root of the ended jobs that no event holds yet; return how many."""
    waiting = (
        Job.objects.filter(sealed_in=None).exclude(ended_at=None).select_related("size").order_by("ended_at", "id")
    )
    jobs = list(waiting[:BATCH])
    if not jobs:
        return 0
    data = {
        "root": merkle_root([leaf(job) for job in jobs]),
        "count": len(jobs),
        "first": jobs[0].pk,
        "last": jobs[-1].pk,
    }
    event = record("jobs.sealed", actor=actor, subject="jobs", at=at, data=data)
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(sealed_in=event.seq)
    return len(jobs)
