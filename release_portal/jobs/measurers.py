"""C14 and C14g: how many approved people have used a size since it came to its stage, and how much they generated."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from inference.contract import Function
from release_portal.evidence.kinds import COUNT
from release_portal.evidence.measurers import measurer
from release_portal.evidence.rules import EvidenceDraft
from release_portal.jobs.models import Job, JobQuerySet
from release_portal.jobs.states import DONE
from release_portal.registry.models import ModelSize

LOOKED_AT = (
    "Counted: requests to generate under a grant that the stage {stage} permitted since {since:%Y-%m-%d %H:%M} UTC and "
    "that ended with a text. Not counted: what needed no grant, scores, and what failed, was cancelled or was stopped."
)


@measurer("C14")
def measure_users(size: ModelSize, at: datetime) -> EvidenceDraft:
    """Count the different approved accounts that generated at the present stage."""
    users = _generations(size, at).order_by().values("account_id").distinct().count()
    return _draft(
        "C14", size, at, users, "accounts", f"Approved accounts that generated at the present stage: {users:,}."
    )


@measurer("C14g")
def measure_generations(size: ModelSize, at: datetime) -> EvidenceDraft:
    """Count the generations at the present stage; one with several samples counts once."""
    made = _generations(size, at).count()
    return _draft("C14g", size, at, made, "generations", f"Generations at the present stage: {made:,}.")


def _generations(size: ModelSize, at: datetime) -> JobQuerySet:
    """Whoever holds a grant was approved by a person; where a stage needs none, other use says nothing of that."""
    standing = size.standing
    made = Job.objects.filter(size=size, function=Function.GENERATE, state=DONE, stage=standing.stage)
    return made.exclude(grant=None).filter(created_at__gte=standing.since, created_at__lte=at)


def _draft(criterion: str, size: ModelSize, at: datetime, count: int, unit: str, summary: str) -> EvidenceDraft:
    standing = size.standing
    return EvidenceDraft(
        criterion=criterion,
        kind=COUNT,
        summary=summary,
        measured_at=at,
        statement=LOOKED_AT.format(stage=standing.stage, since=standing.since),
        value=Decimal(count),
        unit=unit,
    )
