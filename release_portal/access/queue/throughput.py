"""How long decisions took: read from the newest ones, so that the cost does not grow with the years."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from release_portal.access.application_rules import GRANTED, REFUSED
from release_portal.access.models import Application
from release_portal.access.queue.throughput_rules import LOOK_BACK_DAYS, Range, range_of
from release_portal.core.workdays import working_time_between

NEWEST = 500
DECIDED = (GRANTED, REFUSED)


def expected_at_tier(tier: int, *, at: datetime) -> Range | None:
    """Return how long decisions of that tier took in the last 90 days, questions included."""
    since = at - timedelta(days=LOOK_BACK_DAYS)
    found = Application.objects.filter(tier=tier, state__in=DECIDED, decided_at__gte=since, decided_at__lte=at)
    spans = found.order_by("-decided_at").values_list("submitted_at", "decided_at")[:NEWEST]
    return range_of(working_days_of(spans))


def working_days_of(spans: Iterable[tuple[datetime | None, datetime | None]]) -> list[float]:
    """Return each span in working days."""
    day = timedelta(days=1)
    return [working_time_between(start, end) / day for start, end in spans if start is not None and end is not None]
