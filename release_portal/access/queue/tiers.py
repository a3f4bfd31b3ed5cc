"""A copy of each application's tier, so that the queue is sorted, searched and cut into pages by the database.

The truth is `review_desk.risk_facing`: every command computes the tier anew. The copy is written when an application is
submitted, answered or opened again, and anew once a size has moved.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import CharField, F, QuerySet, Value
from django.db.models.functions import Cast, Concat

from release_portal.access.application_rules import DRAFT
from release_portal.access.models import Application
from release_portal.access.review_desk import WHO_WOULD_USE_IT, largest_open, risk_facing, step_of
from release_portal.access.risk_rules import VERSION

BATCH = 2_000


def keep_tier(application: Application, largest: int, at: datetime) -> int:
    """Work the tier out and put it into its columns, unsaved."""
    application.tier = risk_facing(application, largest, at).tier
    application.people = step_of(application, application.tier).people
    size = application.size
    application.tier_basis = f"{size.standing.stage}/{size.parameters}{_rest(largest)}"
    return application.tier


def stale_tiers() -> QuerySet[Application]:
    """Return the open applications whose size, or the largest open size, is another than when the tier was kept."""
    rest = Value(_rest(largest_open()))
    basis = Concat("size__standing__stage", Value("/"), Cast("size__parameters", CharField()), rest)
    sent = Application.objects.open().exclude(state=DRAFT)
    return sent.annotate(basis=basis).exclude(tier_basis=F("basis"))


@transaction.atomic
def refresh_tiers(*, at: datetime) -> int:
    """Work out anew what is stale, so many at a time; no version moves, since no decision rests on it."""
    largest = largest_open()
    found = stale_tiers().select_related("size__standing", "renews").prefetch_related(*WHO_WOULD_USE_IT)
    stale = list(found.order_by("due_at", "pk")[:BATCH])
    for application in stale:
        keep_tier(application, largest, at)
    Application.objects.bulk_update(stale, ["tier", "people", "tier_basis"], batch_size=200)
    return len(stale)


def _rest(largest: int) -> str:
    return f"/{largest}/{VERSION}"
