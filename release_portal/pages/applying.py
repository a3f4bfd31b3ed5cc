"""How pages lead to an application: from a size, from a refusal, from a grant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.urls import reverse

from release_portal.access.application_lookups import apply_decision
from release_portal.access.application_rules import OURS, clock_at, may_renew
from release_portal.access.models import Application, Grant
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.pages.words import FUNCTIONS, state_pill
from release_portal.registry.models import ModelSize

# Refusals that a grant would change.
APPLICABLE = frozenset({"no_grant", "grant_expired", "grant_scope"})


def apply_url(actor: Actor, size: ModelSize, decisions: Mapping[Action, Decision]) -> str:
    """Return where to apply for the size; empty unless a grant would change a refusal and the actor may apply."""
    would_help = any(decision.code in APPLICABLE for decision in decisions.values())
    return _address(size) if would_help and apply_decision(actor, size) else ""


def renew_url(actor: Actor, grant: Grant, at: datetime) -> str:
    """Return where the holder asks for a renewal; empty unless the grant and its size allow it now."""
    is_own = actor.is_person and actor.id == str(grant.holder_id)
    sizes: Iterable[ModelSize] = grant.sizes.select_related("standing") if is_own else ()
    open_ones = [size for size in sizes if may_renew(grant.state_at(at)) and apply_decision(actor, size)]
    return f"{_address(open_ones[0])}?renews={grant.pk}" if open_ones else ""


def _address(size: ModelSize) -> str:
    return reverse("apply", args=[size.lab_slug, size.size_slug])


def row_of(application: Application, at: datetime) -> dict[str, Any]:
    """Return an application as a row: its state, and the clock while we owe a decision."""
    is_ours = application.state in OURS and application.due_at is not None
    return {
        "application": application,
        "state": state_pill(application.state),
        "clock": clock_at(application.due_at, at) if is_ours and application.due_at else None,
        "functions": [FUNCTIONS.get(name, name) for name in application.functions],
    }
