"""How the page of every person says that the agreement waits for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.urls import reverse

from release_portal.access.agreements.lookups import signature_to_renew
from release_portal.access.agreements.rules import Standing
from release_portal.core.actors import Actor


def terms_banner(actor: Actor, at: datetime) -> dict[str, Any] | None:
    """Return what to say on every page of somebody whose access needs a new signature; None for everybody else."""
    facts = signature_to_renew(actor, at=at)
    if facts is None:
        return None
    return {
        "number": facts.number,
        "until": facts.until,
        "is_lapsed": facts.standing is Standing.LAPSED,
        "url": reverse("agreement", args=[facts.number]),
    }
