"""The only way to a protected object: fetch and authorise in one call.

The single answer and the list are built from the same table (`access.policy.TABLE`); a test proves that they agree.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations

from django.db.models import Exists, OuterRef, Q, QuerySet

from release_portal.access.grant_rules import may_read_every_grant
from release_portal.access.models import Grant, GrantFunction, Obligation, Seat, Suspension
from release_portal.access.pausing import duty_pauses, person_pauses
from release_portal.access.people.carriers import Carrier, carriers_of
from release_portal.access.policy import (
    GRANT_FUNCTIONS,
    NEEDS_WEIGHTS,
    READ_SCOPE,
    TOKEN_SCOPES,
    USES,
    Action,
    Audience,
    Facts,
    decide,
    permitting_grant,
    stages_by_audience,
)
from release_portal.access.sampler_rules import Span, narrowest_bounds
from release_portal.accounts.roles import STAFF_ROLES
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import NotFound, error_of
from release_portal.registry.models import ModelFamily, ModelSize, Revision
from release_portal.releases.hold_rules import COHORT, FEATURES, OFF_FUNCTIONS, PUBLIC, STOP, Restriction
from release_portal.releases.ladder import Stage
from release_portal.releases.lookups import restrictions_on
from release_portal.releases.models import Hold, Proposal


@dataclass(frozen=True)
class SizeAccess:
    """A size that the actor may act on, with what permits it."""

    size: ModelSize
    stage: Stage
    decision: Decision
    grant: Grant | None
    restrictions: tuple[Restriction, ...] = ()
    seat: Seat | None = None
    grant_ends_at: datetime | None = None  # for this actor: a seat may end before the grant

    @property
    def longest_output(self) -> int | None:
        """How many tokens an output may have while features are restricted (R2); None: no restriction says."""
        return min((one.max_tokens for one in self.restrictions if one.max_tokens), default=None)

    @property
    def bounds(self) -> dict[str, Span]:
        """How far the sampler's settings may go here, by the grant and by restrictions in force."""
        longest = self.longest_output
        restricted = {"max_tokens": Span(most=longest)} if longest else {}
        return narrowest_bounds(self.grant.bounds() if self.grant else {}, restricted)


def size_for(actor: Actor, slug: str, action: Action, *, at: datetime) -> SizeAccess:
    """Return the size for this action, or raise what the decision says."""
    # A hidden size is not even fetched, so that it costs as many queries as one that does not exist.
    size = _one_size().filter(_open_to(actor, Action.VIEW, at), slug=slug).first()
    if size is None:
        raise NotFound("There is nothing here.", change="Check the address, or look in the catalogue.")
    facts, carriers = _facts(actor, size, at)
    decision = decide(facts, action)
    if not decision:
        raise error_of(decision)
    return _access(size, decision, facts.restrictions, _carrying(facts, carriers, action))


def _carrying(facts: Facts, carriers: list[Carrier], action: Action) -> Carrier | None:
    permitting = permitting_grant(facts, action)
    return next((one for one in carriers if one.facts == permitting), None)


def _access(
    size: ModelSize, decision: Decision, restrictions: tuple[Restriction, ...], carrier: Carrier | None
) -> SizeAccess:
    if carrier is None:
        return SizeAccess(size, size.standing.place, decision, None, restrictions)
    grant, seat, ends_at = carrier.grant, carrier.seat, carrier.facts.ends_at
    return SizeAccess(size, size.standing.place, decision, grant, restrictions, seat, ends_at)


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
        query = query.filter(Exists(stored)).exclude(Exists(stopped)).exclude(Exists(_switched_off(action)))
    return query.filter(standing__ending="") if action in USES else query


def grant_for(actor: Actor, grant_id: str) -> Grant:
    """Return a grant that the actor may see: their own, one on which they have a seat, or any for staff."""
    grant = grants_for(actor).filter(pk=grant_id).first()
    if grant is None:
        raise NotFound("There is nothing here.", change="Your grants are listed on your home page.")
    return grant


def grants_for(actor: Actor) -> QuerySet[Grant]:
    """Return the grants that the actor may see."""
    grants = Grant.objects.select_related("holder").prefetch_related("functions", "suspensions", "sizes")
    if may_read_every_grant(actor):
        return grants
    return grants.seen_by(actor.id if actor.is_person else "")


def waiting_first(grants: QuerySet[Grant]) -> QuerySet[Grant]:
    """Put grants first whose suspension nobody has confirmed."""
    waiting = Suspension.objects.filter(grant=OuterRef("pk"), ended_at=None, confirmed_at=None)
    return grants.annotate(is_waiting=Exists(waiting)).order_by("-is_waiting", "-created_at", "pk")


def families_for(actor: Actor, *, at: datetime) -> QuerySet[ModelFamily]:
    """Return every family of which the actor may see a size."""
    visible = sizes_for(actor, Action.VIEW, at=at).order_by().values("family")
    return ModelFamily.objects.filter(pk__in=visible).order_by("ordinal")


def purposes_held(actor: Actor, action: Action, *, at: datetime) -> list[str]:
    """Return the purposes of the actor's grants in force that open an action, for a form that asks for one.

    They are asked for only where one of these grants has several.
    """
    grants = Grant.objects.usable_by(actor.id if actor.is_person else "", at)
    held = list(grants.covering(GRANT_FUNCTIONS[action]).values_list("purposes", flat=True))
    needs_choice = any(len(codes) > 1 for codes in held)
    return sorted({code for codes in held for code in codes}) if needs_choice else []


def bounded_for(actor: Actor, action: Action, sizes: Iterable[ModelSize], *, at: datetime) -> list[SizeAccess]:
    """Return the access to each of these sizes where a grant or a restriction bounds the sampler's settings."""
    named = {size.slug: size for size in sizes}
    grants = Grant.objects.usable_by(actor.id if actor.is_person else "", at)
    held = grants.covering(GRANT_FUNCTIONS[action]).exclude(sampler={})
    if not (held.exists() or Hold.objects.open().filter(size__slug__in=named, level=FEATURES).exists()):
        return []
    found = [size_for(actor, slug, action, at=at) for slug in named]
    return [access for access in found if access.bounds]


def proposal_for(actor: Actor, proposal_id: int, *, at: datetime) -> Proposal:
    """Return a proposal about a size that the actor may see."""
    proposal = proposals_for(actor, at=at).filter(pk=proposal_id).first()
    if proposal is None:
        raise NotFound("There is nothing here.", change="Proposals are listed on one page.")
    return proposal


def proposals_for(actor: Actor, *, at: datetime) -> QuerySet[Proposal]:
    """Return every proposal about a size that the actor may see; votes have a rule of their own."""
    visible = sizes_for(actor, Action.VIEW, at=at).order_by().values("pk")
    return Proposal.objects.filter(size__in=visible).select_related("size__standing", "size__family", "policy")


def _sizes() -> QuerySet[ModelSize]:
    return _one_size().prefetch_related("aliases", "artefacts")


def _one_size() -> QuerySet[ModelSize]:
    """With what decisions need; of one size alone, pages read the rest when they show it."""
    return ModelSize.objects.select_related("family", "standing").prefetch_related("revisions")


def _facts(actor: Actor, size: ModelSize, at: datetime) -> tuple[Facts, list[Carrier]]:
    carriers = _rested(actor, carriers_of(actor, size), at)
    restrictions = restrictions_on(size)
    facts = Facts(
        actor=actor,
        stage=size.standing.stage,
        is_stopped=any(one.level == STOP for one in restrictions),
        has_weights=size.current_revision is not None,
        grants=tuple(carrier.facts for carrier in carriers),
        at=at,
        restrictions=restrictions,
        ending=size.standing.ending,
    )
    return facts, carriers


def _rested(actor: Actor, carriers: list[Carrier], at: datetime) -> list[Carrier]:
    """Add what rests each: duties of the person who asks, and of the grant."""
    if not carriers:
        return []
    mine = person_pauses(actor.account_id, at)
    duties = duty_pauses([one.grant.pk for one in carriers], at)
    return [replace(one, facts=replace(one.facts, pauses=mine + duties.get(one.grant.pk, ()))) for one in carriers]


def _open_to(actor: Actor, action: Action, at: datetime) -> Q:
    """Build the list's condition from the same rows that `decide` reads."""
    stages = stages_by_audience(action)
    to_all = stages[Audience.EVERYONE] | (stages[Audience.SIGNED_IN] if actor.is_person else frozenset())
    condition = Q(standing__stage__in=to_all)
    if action in GRANT_FUNCTIONS:
        condition &= _open_to_the_public(actor, action, at)
    if actor.has_role(*STAFF_ROLES):
        condition |= Q(standing__stage__in=stages[Audience.STAFF])
    if actor.is_person and action in GRANT_FUNCTIONS:
        condition |= Q(standing__stage__in=stages[Audience.GRANTEES]) & _granted(actor, action, at)
        condition |= Q(standing__stage__in=stages[Audience.PARTNERS]) & _granted(actor, action, at, kind="partner")
    return condition


def _granted(actor: Actor, action: Action, at: datetime, **more: str) -> Q:
    if person_pauses(actor.account_id, at):
        return Q(pk__in=())  # what rests a person rests each of their grants
    named = GrantFunction.objects.filter(grant=OuterRef("pk"), name=GRANT_FUNCTIONS[action])
    suspended = Hold.objects.open().filter(level=COHORT, size=OuterRef(OuterRef("pk")), cohort=OuterRef("kind"))
    grants = Grant.objects.usable_by(actor.id, at).filter(Exists(named), sizes=OuterRef("pk"), **more)
    resting = Obligation.objects.resting(at).filter(grant=OuterRef("pk"))
    return Q(Exists(grants.exclude(Exists(suspended)).exclude(Exists(resting))))


def _open_to_the_public(actor: Actor, action: Action, at: datetime) -> Q:
    """Where a stage asks for no grant: no R3 on the public, or a grant that carries all the same."""
    closed = Hold.objects.open().filter(level=COHORT, cohort=PUBLIC, size=OuterRef("pk"))
    is_open = ~Q(Exists(closed))
    return is_open | _granted(actor, action, at) if actor.is_person else is_open


def _switched_off(action: Action) -> QuerySet[Hold]:
    """Restrictions R2 that switch the action's function off; their lists are stored in order."""
    function = GRANT_FUNCTIONS[action]
    lists = [list(one) for one in _off_lists() if function in one]
    named = Q(*[("functions", one) for one in lists], _connector=Q.OR) if lists else Q(pk__in=[])
    return Hold.objects.open().filter(named, level=FEATURES, size=OuterRef("pk"))


def _off_lists() -> list[tuple[str, ...]]:
    every = tuple(sorted(OFF_FUNCTIONS))
    return [one for count in range(1, len(every) + 1) for one in combinations(every, count)]
