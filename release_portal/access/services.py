"""Write grants: create, renew, suspend, confirm, lift, lapse, expire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from release_portal.access.application_rules import WRITE_SCOPE
from release_portal.access.engagement_rules import Act, inside_engagement
from release_portal.access.grant_rules import (
    ACTIVE,
    CONFIRM_WITHIN,
    EXPIRED,
    GRANT,
    LONGEST_DAYS,
    SCHEDULED,
    SURRENDERED,
    SUSPENDED,
    decide_second_officer,
    decide_surrender,
)
from release_portal.access.models import Grant, GrantFunction, Suspension
from release_portal.access.people.teams import Team, uses
from release_portal.access.quota import Limits
from release_portal.access.receipts import run_withdrawn
from release_portal.access.sampler_rules import Bounds, stored
from release_portal.access.scope_rules import Scope, stops_work
from release_portal.accounts.models import User
from release_portal.appeals.links import notify_with_appeal
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, StaleVersion, error_of
from release_portal.epochs.services import advance_epoch, grant_key, start_epoch
from release_portal.notices.services import notify
from release_portal.registry.models import ModelSize


@dataclass(frozen=True)
class GrantTerms:
    """What a new grant says."""

    sizes: tuple[ModelSize, ...]
    functions: tuple[str, ...]
    purpose: str
    starts_at: datetime
    ends_at: datetime
    limits: Limits
    kind: str = "research"
    purposes: tuple[str, ...] = ()
    sampler: Bounds = field(default_factory=dict)


def grant_subject(grant: Grant) -> str:
    """Return how the audit log names a grant."""
    return f"grant:{grant.pk}"


@transaction.atomic
def create_grant(actor: Actor, holder: User, terms: GrantTerms, *, reason: str, at: datetime) -> Grant:
    """Write a grant with its first epoch; who may decide on one is settled by the caller's lifecycle."""
    _check_terms(terms, at)
    grant = Grant.objects.create(
        holder=holder,
        kind=terms.kind,
        purpose=terms.purpose,
        purposes=sorted(set(terms.purposes)),
        sampler=stored(terms.sampler),
        state=ACTIVE if terms.starts_at <= at else SCHEDULED,
        starts_at=terms.starts_at,
        ends_at=terms.ends_at,
        tokens_per_day=terms.limits.tokens_per_day,
        requests_per_minute=terms.limits.requests_per_minute,
        concurrent=terms.limits.concurrent,
        created_at=at,
    )
    grant.sizes.set(terms.sizes)
    GrantFunction.objects.bulk_create([GrantFunction(grant=grant, name=name) for name in sorted(set(terms.functions))])
    start_epoch(grant_key(grant.pk))
    _record("grant.created", actor, grant, at, reason, holder=holder.username, ends_at=terms.ends_at.isoformat())
    return grant


def _check_terms(terms: GrantTerms, at: datetime) -> None:
    if not terms.sizes:
        raise InvalidInput("A grant names at least one size.", field="sizes")
    if not terms.functions:
        raise InvalidInput("A grant names at least one function.", field="functions")
    if terms.ends_at <= terms.starts_at:
        raise InvalidInput("The end must lie after the start.", field="ends_at")
    if (terms.ends_at - terms.starts_at).days > LONGEST_DAYS:
        raise InvalidInput(
            f"A grant lasts at most {LONGEST_DAYS} days.",
            field="ends_at",
            change="Choose an earlier end; it can be renewed.",
        )


@transaction.atomic
def renew_grant(
    actor: Actor,
    grant_id: str,
    *,
    ends_at: datetime,
    scope: Scope,
    reason: str,
    at: datetime,
) -> Grant:
    """Move the end of a running grant, with what was approved for its new time."""
    grant = Grant.objects.select_for_update().get(pk=grant_id)
    _check(GRANT.decide("renew", grant.state, relations_of(actor, grant)))
    before = grant.scope()
    grant.ends_at, grant.version = ends_at, grant.version + 1
    write_scope(grant, scope)
    if stops_work(before, scope):
        advance_epoch(grant_key(grant.pk))  # running work may hold a permit for what is no longer given
    _record("grant.renewed", actor, grant, at, reason, ends_at=ends_at.isoformat())
    return grant


def write_scope(grant: Grant, scope: Scope) -> None:
    """Write what a grant opens, and save it."""
    held = {function.name for function in grant.functions.all()}
    grant.functions.exclude(name__in=scope.functions).delete()
    added = sorted(scope.functions - held)
    GrantFunction.objects.bulk_create([GrantFunction(grant=grant, name=name) for name in added])
    limits = scope.limits
    grant.tokens_per_day, grant.requests_per_minute = limits.tokens_per_day, limits.requests_per_minute
    grant.concurrent = limits.concurrent
    grant.purposes, grant.sampler = sorted(scope.purposes), stored(scope.sampler)
    grant.save()


@transaction.atomic
def suspend_grant(
    actor: Actor,
    grant_id: str,
    *,
    reason: str,
    expected_version: int,
    at: datetime,
    act: Act | None = None,
    further: str = "",
) -> Suspension:
    """Take a grant back for now: one officer, at once; work that it permits stops.

    Args:
        act: what the holder is said to have done, where the grant has rules of engagement.
        further: why it is suspended although the act lies inside them.
    """
    grant = locked_grant(actor, "suspend", grant_id, expected_version)
    if not reason.strip():
        raise InvalidInput("A reason is needed.", field="reason", change="Write what the holder shall read.")
    clause = _inside(grant, act, further)
    before = grant.state
    _set_state(grant, SUSPENDED)
    suspension = Suspension.objects.create(
        grant=grant, state_before=before, reason=reason.strip(), by_id=actor.id, by_name=actor.name, at=at,
        engagement_clause=clause, further_reason=further.strip() if clause else "",
    )  # fmt: skip
    advance_epoch(grant_key(grant.pk))
    _record("grant.suspended", actor, grant, at, reason, **({"inside": clause} if clause else {}))
    run_withdrawn(grant, "suspended", at=at)
    facts = {"grant": grant.pk, "purpose": grant.purpose, "reason": suspension.reason}
    subject, path = f"{grant_subject(grant)}:suspension:{suspension.pk}", f"/grants/{grant.pk}/"
    notify_with_appeal(grant.holder, "grant_suspended", facts, subject=subject, at=at, path=path)
    return suspension


def _inside(grant: Grant, act: Act | None, further: str) -> str:
    """Return the clause inside which the act lies, or nothing; inside, a further reason is asked for, never refused."""
    rules = grant.engagements.in_force(act.at).first() if act else None
    verdict = inside_engagement(rules.facts(), act) if rules and act else None
    if verdict is None or not verdict.is_inside:
        return ""
    if not further.strip():
        change = "Say why the grant is suspended all the same; then it is, at once."
        raise InvalidInput(verdict.sentence, field="further", code="inside_engagement", change=change)
    return verdict.clause


@transaction.atomic
def confirm_suspension(actor: Actor, grant_id: str, *, reason: str, expected_version: int, at: datetime) -> None:
    """A second officer confirms a suspension, so that it no longer lapses."""
    grant = locked_grant(actor, "confirm", grant_id, expected_version)
    suspension = _open_suspension(grant)
    suspension.confirmed_by_id, suspension.confirmed_by_name, suspension.confirmed_at = actor.id, actor.name, at
    suspension.save(update_fields=["confirmed_by_id", "confirmed_by_name", "confirmed_at"])
    _set_state(grant, SUSPENDED)
    _record("grant.suspension_confirmed", actor, grant, at, reason)


@transaction.atomic
def lift_suspension(
    actor: Actor, grant_id: str, *, reason: str, expected_version: int, at: datetime, is_unfounded: bool = False
) -> None:
    """Another officer gives the grant back; when it was unfounded, the lost time is added to its end."""
    grant = locked_grant(actor, "lift", grant_id, expected_version)
    suspension = _open_suspension(grant)
    if not reason.strip():
        raise InvalidInput("A reason is needed.", field="reason", change="Write what was found.")
    if is_unfounded:
        grant.ends_at += at - suspension.at
    _end_suspension(grant, suspension, by_name=actor.name, reason=reason, at=at)
    _record("grant.lifted", actor, grant, at, reason, unfounded=is_unfounded)
    _tell("grant_lifted", grant, at, reason=reason.strip(), end=_when(grant.ends_at))


@transaction.atomic
def lapse_suspensions(actor: Actor, *, at: datetime) -> int:
    """Return every grant whose suspension nobody confirmed in time to what a person had granted before."""
    due = Suspension.objects.select_for_update().filter(
        ended_at=None, confirmed_at=None, at__lte=at - CONFIRM_WITHIN, grant__state=SUSPENDED
    )
    count = 0
    for suspension in due.select_related("grant"):
        grant = suspension.grant
        _check(GRANT.decide("lapse", grant.state, {actor.kind.value}))
        reason = "not confirmed by a second officer within 72 hours"
        _end_suspension(grant, suspension, by_name=actor.name, reason=reason, at=at)
        _record("grant.suspension_lapsed", actor, grant, at, reason)
        _tell("grant_suspension_lapsed", grant, at, end=_when(grant.ends_at))
        count += 1
    return count


@transaction.atomic
def expire_grants(actor: Actor, *, at: datetime) -> int:
    """Write down the ends that were reached; use has ended already, at its own check."""
    states = GRANT.command("expire").sources
    count = 0
    for grant in Grant.objects.select_for_update().filter(state__in=states, ends_at__lte=at):
        _check(GRANT.decide("expire", grant.state, {actor.kind.value}))
        grant.suspensions.filter(ended_at=None).update(ended_at=at, ended_by_name=actor.name, end_reason="grant ended")
        grant.ended_at = grant.ends_at
        _set_state(grant, EXPIRED)
        advance_epoch(grant_key(grant.pk))
        _record("grant.expired", actor, grant, at, "its end is reached")
        _tell("grant_expired", grant, at, end=_when(grant.ends_at))
        count += 1
    return count


def relations_of(actor: Actor, grant: Grant) -> frozenset[str]:
    """Return the roles and relations under which the lifecycle knows this actor.

    A token never decides: it is at most its owner's, the holder, and that only with the scope to write.
    """
    own = {"holder"} if actor.is_person and actor.account_id == Team(None, grant).owner_id else set()
    if actor.scopes is not None:
        return frozenset(own) if WRITE_SCOPE in actor.scopes else frozenset()
    roles = frozenset() if uses(actor, grant) else actor.roles  # nobody decides on a grant that they use
    return frozenset(own | set(roles) | ({"system"} if actor.is_system else set()))


def relations_to_duties(actor: Actor, grant: Grant) -> frozenset[str]:
    """Return the relations that count for what a grant asks; a token for applications does what its holder owes."""
    if actor.scopes is None:
        return relations_of(actor, grant)
    is_own = actor.is_person and actor.id == str(grant.holder_id) and WRITE_SCOPE in actor.scopes
    return frozenset({"holder"} if is_own else ())


def decide_command(actor: Actor, grant: Grant, name: str) -> Decision:
    """Decide whether the actor may give a command to a grant now; pages ask the same as services."""
    decision = GRANT.decide(name, grant.state, relations_of(actor, grant))
    if decision and name == "surrender":
        return decide_surrender(has_cohort=Team(None, grant).cohort is not None)
    suspension = grant.open_suspension
    if not decision or suspension is None or name not in ("confirm", "lift"):
        return decision
    return decide_second_officer(
        name, is_same_officer=actor.id == suspension.by_id, is_confirmed=suspension.confirmed_at is not None
    )


@transaction.atomic
def surrender_grant(actor: Actor, grant_id: str, *, reason: str, expected_version: int, at: datetime) -> None:
    """The holder gives a grant up; work that it permits stops, and only a new application opens the size again."""
    grant = locked_grant(actor, "surrender", grant_id, expected_version)
    grant.suspensions.filter(ended_at=None).update(ended_at=at, ended_by_name=actor.name, end_reason="grant given up")
    grant.ended_at = at
    _set_state(grant, SURRENDERED)
    advance_epoch(grant_key(grant.pk))
    _record("grant.surrendered", actor, grant, at, reason.strip())
    run_withdrawn(grant, "surrendered", at=at)


def locked_grant(actor: Actor, command: str, grant_id: str, expected_version: int) -> Grant:
    """Return the grant for a command: the actor may give it, and nobody changed it since the form was shown."""
    grant = Grant.objects.select_for_update().get(pk=grant_id)
    _check(decide_command(actor, grant, command))
    if grant.version != expected_version:
        raise StaleVersion(
            f"The grant changed while this form was open; it is {grant.state} now.", change="Look again, then decide."
        )
    return grant


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)


def _open_suspension(grant: Grant) -> Suspension:
    return grant.suspensions.select_for_update().get(ended_at=None)


def _end_suspension(grant: Grant, suspension: Suspension, *, by_name: str, reason: str, at: datetime) -> None:
    suspension.ended_at, suspension.ended_by_name, suspension.end_reason = at, by_name, reason
    suspension.save(update_fields=["ended_at", "ended_by_name", "end_reason"])
    _set_state(grant, suspension.state_before)


def _set_state(grant: Grant, state: str) -> None:
    grant.state, grant.version = state, grant.version + 1
    grant.save(update_fields=["state", "version", "ends_at", "ended_at"])


def _record(kind: str, actor: Actor, grant: Grant, at: datetime, reason: str, **data: str | bool) -> None:
    facts: Iterable[tuple[str, str | bool | int]] = {"state": grant.state, "version": grant.version, **data}.items()
    record(kind, actor=actor, subject=grant_subject(grant), at=at, reason=reason, data=dict(facts))


def _tell(kind: str, grant: Grant, at: datetime, **more: str) -> None:
    facts = {"grant": grant.pk, "purpose": grant.purpose, **more}
    notify(grant.holder, kind, facts, at=at, path=f"/grants/{grant.pk}/")


def _when(moment: datetime) -> str:
    return f"{moment:%d %B %Y, %H:%M UTC}"
