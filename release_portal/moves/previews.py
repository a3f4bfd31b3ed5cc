"""What a move would change: the exact difference of the access decision before and after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from release_portal.access.pausing import duty_pauses, people_pauses
from release_portal.access.people.carriers import facts_by_person
from release_portal.access.policy import Action, Facts, decide
from release_portal.accounts.models import User
from release_portal.accounts.roles import STAFF_ROLES, Role
from release_portal.core.actors import ANONYMOUS, Actor, ActorKind
from release_portal.jobs.models import Job
from release_portal.registry.models import ModelSize
from release_portal.releases.hold_rules import STOP
from release_portal.releases.ladder import LADDER, Stage, stage_of
from release_portal.releases.lookups import restrictions_on
from release_portal.releases.withdrawals import was_open_weights

SIGNED_IN = "signed_in"


@dataclass(frozen=True)
class Asker:
    """Somebody for whom the decision is made: a class of people who share it, or one holder of a grant or seat.

    Args:
        label: `anonymous`, `signed_in`, `role:<slug>` or the account's name.
        actor: as the policy knows them.
        accounts: the accounts that are counted here; None for those that nobody counts.
        is_holder: whether it is one person, named for staff only.
        grants: what they hold for the size.
    """

    label: str
    actor: Actor
    accounts: frozenset[int] | None
    is_holder: bool = False
    grants: tuple[Any, ...] = ()


def preview_move(size: ModelSize, target: str, at: datetime) -> dict[str, Any]:
    """Return who gains and who loses what, which artefacts open or close, and which work would stop.

    The decision depends on nothing but the asker's class and grants, so asking each class once and each holder by
    themselves is exact. The result is plain: it is stored with the proposal.
    """
    present, there = size.standing.place, stage_of(target)
    askers = _askers(size, at)
    is_narrower = there.ordinal < present.ordinal
    return {
        "from": present.slug,
        "to": target,
        "actions": [
            line for action in Action if (line := _difference(size, askers, action, present, there, at)) is not None
        ],
        "artefacts_opened": _artefacts(present, there),
        "artefacts_closed": _artefacts(there, present),
        "jobs_stopped": _open_jobs(size) if is_narrower else {},
        "copies_cannot_be_recalled": not there.is_reversible or was_open_weights(size),
    }


def _difference(
    size: ModelSize, askers: Sequence[Asker], action: Action, present: Stage, there: Stage, at: datetime
) -> dict[str, Any] | None:
    """Return who gains and who loses one action, or None when nobody does."""
    template = _facts(size, at)
    gains: list[Asker] = []
    loses: list[Asker] = []
    for asker in askers:
        facts = replace(template, actor=asker.actor, grants=asker.grants)
        before = bool(decide(replace(facts, stage=present.slug), action))
        after = bool(decide(replace(facts, stage=there.slug), action))
        if before != after:
            (gains if after else loses).append(asker)
    if not gains and not loses:
        return None
    return {"action": action.value, "gains": _named(gains), "loses": _named(loses)}


def _named(askers: Iterable[Asker]) -> dict[str, Any]:
    """Return the classes and the holders, and how many accounts that is; nobody is counted twice."""
    known = list(askers)
    accounts = {pk for asker in known for pk in asker.accounts or ()}
    return {
        "classes": [asker.label for asker in known if not asker.is_holder],
        "holders": sorted(asker.label for asker in known if asker.is_holder),
        "accounts": len(accounts),
    }


def _facts(size: ModelSize, at: datetime) -> Facts:
    restrictions = restrictions_on(size)
    return Facts(
        actor=ANONYMOUS,
        stage=size.standing.stage,
        is_stopped=any(one.level == STOP for one in restrictions),
        has_weights=size.current_revision is not None,
        grants=(),
        at=at,
        restrictions=restrictions,
        ending=size.standing.ending,
    )


def _askers(size: ModelSize, at: datetime) -> list[Asker]:
    """Return every class of people whose decision can differ, and each who holds a grant or sits on one."""
    found = facts_by_person(size)
    people = User.objects.filter(pk__in=found, is_active=True).prefetch_related("role_assignments")
    holders = {user.pk: user for user in people}
    mine, duties = (
        people_pauses(set(holders), at),
        duty_pauses({one.id for facts in found.values() for one in facts}, at),
    )
    rested = {pk: [replace(one, pauses=mine[pk] + duties.get(one.id, ())) for one in found[pk]] for pk in holders}
    return [*_classes(frozenset(holders)), *(_holder(user, rested[pk]) for pk, user in holders.items())]


def _classes(holders: frozenset[int]) -> list[Asker]:
    active = User.objects.filter(is_active=True).exclude(pk__in=holders)
    by_role: dict[str, set[int]] = {role.value: set() for role in Role}
    for pk, role in active.filter(role_assignments__isnull=False).values_list("pk", "role_assignments__role"):
        by_role[role].add(pk)
    staff = set().union(*(by_role[role] for role in STAFF_ROLES))
    for role in by_role.keys() - STAFF_ROLES:
        by_role[role] -= staff  # who is staff as well is decided on as staff
    plain = frozenset(active.filter(role_assignments=None).values_list("pk", flat=True))
    roles = [Asker(f"role:{role}", _person("role", [role]), frozenset(accounts)) for role, accounts in by_role.items()]
    return [Asker("anonymous", ANONYMOUS, None), Asker(SIGNED_IN, _person(SIGNED_IN, []), plain), *roles]


def _holder(user: User, grants: list[Any]) -> Asker:
    roles = [assignment.role for assignment in user.role_assignments.all()]
    actor = Actor(ActorKind.USER, str(user.pk), user.username, frozenset(roles))
    return Asker(user.username, actor, frozenset({user.pk}), is_holder=True, grants=tuple(grants))


def _person(name: str, roles: Iterable[str]) -> Actor:
    """Return somebody of a class; no account has the id 0."""
    return Actor(ActorKind.USER, "0", name, frozenset(roles))


def _artefacts(lower: Stage, upper: Stage) -> list[str]:
    return [kind for stage in LADDER if lower.ordinal < stage.ordinal <= upper.ordinal for kind in stage.artefacts]


def _open_jobs(size: ModelSize) -> dict[str, int]:
    return dict(Counter(Job.objects.open().filter(size=size).values_list("function", flat=True).order_by("function")))
