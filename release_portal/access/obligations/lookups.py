"""The way to obligations: through the grant that the actor may see."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from release_portal.access.lookups import grant_for
from release_portal.access.models import Obligation
from release_portal.access.obligations.rules import HANDED_IN, lead_of
from release_portal.core.actors import Actor
from release_portal.core.errors import NotFound


def obligations_of(actor: Actor, grant_id: str) -> QuerySet[Obligation]:
    """Return the duties of one grant that the actor may see."""
    return (
        Obligation.objects.filter(grant=grant_for(actor, grant_id))
        .select_related("grant__holder")
        .prefetch_related("files")
    )


def obligation_of(actor: Actor, grant_id: str, obligation_id: int) -> Obligation:
    """Return one duty of that grant; one of another grant is not there."""
    found = obligations_of(actor, grant_id).filter(pk=obligation_id).first()
    if found is None:
        raise NotFound("There is nothing here.", change="The duties of a grant stand on its page.")
    return found


def obligations_to_look_at(actor: Actor) -> QuerySet[Obligation]:
    """Return what was handed in and waits for this actor; nobody looks at their own."""
    kinds = [kind for kind in ("research", "partner") if actor.has_role(lead_of(kind))]
    found = Obligation.objects.filter(state=HANDED_IN, grant__kind__in=kinds if actor.scopes is None else ())
    return found.exclude(grant__holder_id=actor.account_id).select_related("grant__holder").order_by("handed_in_at")


def own_duties(actor: Actor, *, due_by: datetime, at: datetime) -> QuerySet[Obligation]:
    """Return what the actor owes by a day, the most urgent first."""
    return Obligation.objects.owed(at).filter(grant__holder_id=actor.account_id, due_at__lte=due_by)
