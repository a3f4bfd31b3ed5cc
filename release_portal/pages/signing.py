"""How the page of every person says that the agreement waits for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from release_portal.access.agreements.rules import Standing
from release_portal.access.agreements.signatures import signature_of
from release_portal.access.grant_rules import GRANT
from release_portal.access.models import Grant
from release_portal.core.actors import Actor

WAITS = (Standing.STALE, Standing.LAPSED)


def terms_banner(actor: Actor, at: datetime) -> dict[str, Any] | None:
    """Return what to say on every page of somebody whose access needs a new signature; None for everybody else."""
    live = GRANT.command("surrender").sources
    if not actor.is_person or not Grant.objects.held_by(actor.id).filter(state__in=live, ends_at__gt=at).exists():
        return None
    facts = signature_of(actor.account_id, at)
    if facts.standing not in WAITS:
        return None
    return {
        "number": facts.number,
        "until": facts.until,
        "is_lapsed": facts.standing is Standing.LAPSED,
        "url": reverse("agreement", args=[facts.number]),
    }
