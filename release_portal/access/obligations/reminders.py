"""Tell holders in time of what is due: 30, 7 and 1 days before, once when it is overdue."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from release_portal.access.grant_rules import GRANT
from release_portal.access.models import Obligation
from release_portal.access.obligations.rules import DAYS_BEFORE_DUE, PAUSE_AFTER
from release_portal.notices.services import notify

WHEN = "%d %B %Y, %H:%M UTC"


@transaction.atomic
def remind_of_obligations(*, at: datetime) -> int:
    """Tell each holder once at each step; what is handed in or waived is not spoken of."""
    live = GRANT.command("surrender").sources
    horizon = at + timedelta(days=max(DAYS_BEFORE_DUE))
    owed = Obligation.objects.owed(at).filter(due_at__lte=horizon, due_at__gt=at - 2 * PAUSE_AFTER)
    return sum(_remind(duty, at) for duty in owed.filter(grant__state__in=live).select_related("grant__holder"))


def _remind(duty: Obligation, at: datetime) -> bool:
    assert duty.due_at is not None
    facts = {"grant": duty.grant_id, "what": duty.what, "due": f"{duty.due_at:{WHEN}}"}
    key, path = f"obligation:{duty.pk}:{duty.due_at:%Y-%m-%dT%H:%M}", f"/grants/{duty.grant_id}/"
    if at >= duty.due_at:
        facts["pause"] = f"{duty.due_at + PAUSE_AFTER:{WHEN}}"
        sent = notify(duty.grant.holder, "obligation_overdue", facts, at=at, path=path, dedupe_key=f"{key}:over")
        return sent is not None
    days = min(days for days in DAYS_BEFORE_DUE if duty.due_at - at <= timedelta(days=days))
    facts["days"] = str(-((at - duty.due_at) // timedelta(days=1)))
    sent = notify(duty.grant.holder, "obligation_due_soon", facts, at=at, path=path, dedupe_key=f"{key}:{days}")
    return sent is not None
