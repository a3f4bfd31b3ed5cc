"""The only way to a protected object: fetch and authorise in one call.

The single answer and the list are built from the same table (`access.policy.TABLE`); a test proves that they agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet

from release_portal.access.models import Grant, GrantFunction
from release_portal.access.policy import (
    GRANT_FUNCTIONS,
    NEEDS_WEIGHTS,
    READ_SCOPE,
    TOKEN_SCOPES,
    Action,
    Audience,
    Facts,
    decide,
    permitting_grant,
    stages_by_audience,
)
from release_portal.accounts.roles import STAFF_ROLES
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import NotFound, error_of
from release_portal.registry.models import ModelSize, Revision
from release_portal.releases.ladder import Stage
from release_portal.releases.models import Hold


@dataclass(frozen=True)
class SizeAccess:
    """A size that the actor may act on, with what permits it."""

    size: ModelSize
    stage: Stage
    decision: Decision
    grant: Grant | None


def size_for(actor: Actor, slug: str, action: Action, *, at: datetime) -> SizeAccess:
    """Return the size for this action, or raise what the decision says."""
    size = _sizes().filter(slug=slug).first()
    if size is None:
        raise NotFound("There is nothing here.", change="Check the address, or look in the catalogue.")
    facts, grants = _facts(actor, size, at)
    decision = decide(facts, action)
    if not decision:
        raise error_of(decision)
    carrying = permitting_grant(facts, action)
    grant = next((grant for grant in grants if carrying and grant.id == carrying.id), None)
    return SizeAccess(size, size.standing.place, decision, grant)


def decisions_for(actor: Actor, size: ModelSize, *, at: datetime) -> dict[Action, Decision]:
    """Return the decision on every action, for a page that says what may be done and why."""
    facts, _ = _facts(actor, size, at)
    return {action: decide(facts, action) for action in Action}


def sizes_for(actor: Actor, action: Action, *, at: datetime) -> QuerySet[ModelSize]:
    """Return every size on which the actor may take the action now."""
    query = _sizes().filter(_open_to(actor, Action.VIEW, at)).filter(_open_to(actor, action, at))
    if actor.scopes is not None and TOKEN_SCOPES.get(action, READ_SCOPE) not in actor.scopes:
        return query.none()
    if action in NEEDS_WEIGHTS:
        stopped = Hold.objects.open().filter(size=OuterRef("pk"), stops_use=True)
        stored = Revision.objects.filter(size=OuterRef("pk"), is_current=True)
        query = query.filter(Exists(stored)).exclude(Exists(stopped))
    return query


def grant_for(actor: Actor, grant_id: str) -> Grant:
    """Return a grant that the actor may see: their own, or any for staff."""
    grant = grants_for(actor).filter(pk=grant_id).first()
    if grant is None:
        raise NotFound("There is nothing here.", change="Your grants are listed on your home page.")
    return grant


def grants_for(actor: Actor) -> QuerySet[Grant]:
    """Return the grants that the actor may see."""
    grants = Grant.objects.select_related("holder").prefetch_related("functions", "suspensions", "sizes")
    if actor.has_role(*STAFF_ROLES):
        return grants
    return grants.held_by(actor.id if actor.is_person else "")


def _sizes() -> QuerySet[ModelSize]:
    return ModelSize.objects.select_related("family", "standing").prefetch_related("revisions", "aliases", "artefacts")


def _facts(actor: Actor, size: ModelSize, at: datetime) -> tuple[Facts, list[Grant]]:
    held = Grant.objects.held_by(actor.id if actor.is_person else "").filter(sizes=size)
    grants = list(held.prefetch_related("functions", "suspensions"))
    facts = Facts(
        actor=actor,
        stage=size.standing.stage,
        is_stopped=Hold.objects.open().filter(size=size, stops_use=True).exists(),
        has_weights=size.current_revision is not None,
        grants=tuple(grant.facts() for grant in grants),
        at=at,
    )
    return facts, grants


def _open_to(actor: Actor, action: Action, at: datetime) -> Q:
    """Build the list's condition from the same rows that `decide` reads."""
    stages = stages_by_audience(action)
    condition = Q(standing__stage__in=stages[Audience.EVERYONE])
    if actor.is_person:
        condition |= Q(standing__stage__in=stages[Audience.SIGNED_IN])
    if actor.has_role(*STAFF_ROLES):
        condition |= Q(standing__stage__in=stages[Audience.STAFF])
    if actor.is_person and action in GRANT_FUNCTIONS:
        condition |= Q(standing__stage__in=stages[Audience.GRANTEES]) & _granted(actor, action, at)
        condition |= Q(standing__stage__in=stages[Audience.PARTNERS]) & _granted(actor, action, at, kind="partner")
    return condition


def _granted(actor: Actor, action: Action, at: datetime, **more: str) -> Q:
    named = GrantFunction.objects.filter(grant=OuterRef("pk"), name=GRANT_FUNCTIONS[action])
    grants = Grant.objects.held_by(actor.id).in_force(at).filter(Exists(named), sizes=OuterRef("pk"), **more)
    return Q(Exists(grants))
