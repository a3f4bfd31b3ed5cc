"""Who is expected to look at what: load of each reviewer, suggestions, and what happens when a lease ends unused.

A suggestion opens nothing and closes nothing: whoever may decide may decide on any application that nobody looks at.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.db import transaction
from django.db.models import Case, Count, F, Q, QuerySet, When

from release_portal.access.application_lookups import applications_to_review
from release_portal.access.application_rules import DECIDERS, OURS, REVIEWERS, SECOND_REVIEW
from release_portal.access.applications import application_subject
from release_portal.access.models import Application
from release_portal.access.queue.load_rules import Load, fewest
from release_portal.access.review_desk import LOOKED_AT, Desk, desk_of, lease_on, review_decision
from release_portal.access.reviews import end_lease
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor

# How many applications one run looks at, and how many one search for the next one.
BATCH, LOOK = 200, 40


def reviewers() -> QuerySet[User]:
    """Return who holds a reviewing role now."""
    return User.objects.filter(role_assignments__role__in=REVIEWERS, is_active=True).distinct().order_by("pk")


def loads_at(at: datetime) -> list[Load]:
    """Return what each reviewer has in hand, in two queries however long the queue is."""
    live = Q(claimed_by=F("holder"), claimed_until__gt=at)
    holder = Case(When(claimed_until__gt=at, then=F("claimed_by")), default=F("assigned_to"))
    waiting = Application.objects.filter(state__in=sorted(OURS)).exclude(assigned_to=None, claimed_by=None)
    counted = waiting.annotate(holder=holder).values("holder").order_by("holder")
    rows = counted.annotate(claims=Count("pk", filter=live), all=Count("pk"))
    found = {row["holder"]: (row["claims"], row["all"]) for row in rows}
    return [_load(user, *found.get(user.pk, (0, 0))) for user in reviewers()]


def _load(user: User, claims: int, all_of_them: int) -> Load:
    return Load(str(user.pk), user.name, claims, all_of_them - claims)


def next_for(desk: Desk, at: datetime) -> Application | None:
    """Return what to take next: what is expected of the person, then, while they have room, the oldest promise.

    Nothing is proposed that they may not decide, or at which somebody looks.
    """
    mine = next((one for one in loads_at(at) if one.id == desk.actor.id), None)
    if mine is None:
        return None
    found = _candidates(desk, at)
    if not mine.has_room:
        found = found.filter(assigned_to=desk.actor.account_id)
    for application in found[:LOOK]:
        if lease_on(application, desk, at) is None and review_decision("approve", application, desk, at):
            return application
    return None


def _candidates(desk: Desk, at: datetime) -> QuerySet[Application]:
    """Narrow the queue down in the database; the rule still decides on each row."""
    me = desk.actor.account_id
    spoken = Q(state=SECOND_REVIEW, votes__voter=me, votes__review_round=F("review_round"))
    found = applications_to_review(desk.actor).filter(state__in=sorted(OURS)).exclude(applicant=me)
    found = found.exclude(pk__in=Application.objects.filter(spoken).values("pk"))
    found = found.exclude(claimed_by__in=[int(one) for one in desk.reviewers], claimed_until__gt=at)
    if DECIDERS["research"] not in desk.actor.roles:  # below two people only that lead decides
        found = found.filter(Q(people__gt=1) | Q(state=SECOND_REVIEW))
    turn = Case(When(assigned_to=me, then=0), When(assigned_to=None, then=1), default=2)
    return found.prefetch_related(*LOOKED_AT).order_by(turn, "due_at", "submitted_at", "pk")


# --- Suggestions -----------------------------------------------------------------------------------------------------


@transaction.atomic
def balance_queue(actor: Actor, *, at: datetime) -> int:
    """End leases that were not used or whose holder may review no more, and say who is expected to look at what.

    Args:
        actor: a system actor; nothing that this does decides anything.
        at: the time of looking.

    Returns:
        How many applications somebody is newly expected to look at.
    """
    holders = list(reviewers())
    left = _end_leases(actor, {user.pk for user in holders}, at)
    desks = {str(user.pk): desk_of(actor_of(user)) for user in holders}
    loads = {one.id: one for one in loads_at(at)}
    count = 0
    for application in _unassigned(at):
        if not any(one.has_room for one in loads.values()):
            break
        able = [loads[key] for key, desk in desks.items() if review_decision("approve", application, desk, at)]
        chosen = fewest(able, left.get(application.pk, ()))
        if chosen is not None:
            _assign(actor, application, chosen, at)
            loads[chosen.id] = replace(chosen, owed=chosen.owed + 1)
            count += 1
    return count


def _waiting() -> QuerySet[Application]:
    found = Application.objects.filter(state__in=sorted(OURS)).select_related("applicant", "size__standing", "renews")
    return found.prefetch_related(*LOOKED_AT, "questions").order_by("due_at", "submitted_at", "pk")


def _unassigned(at: datetime) -> list[Application]:
    free = _waiting().filter(assigned_to=None).exclude(claimed_until__gt=at)
    return list(free[:BATCH])


def _end_leases(actor: Actor, holders: set[int], at: datetime) -> dict[str, tuple[str, ...]]:
    """Take off what ended, and what is expected of people who may review no more; return whom to avoid."""
    ended = Q(claimed_until__lte=at) | (Q(claimed_until__gt=at) & ~Q(claimed_by__in=holders))
    gone = Q(assigned_to__isnull=False) & ~Q(assigned_to__in=holders)
    avoid: dict[str, tuple[str, ...]] = {}
    for application in _waiting().filter(ended | gone).select_for_update(of=("self",))[:BATCH]:
        held = application.claimed_by_id
        if held is not None:
            why = "its time was over" if held in holders else "its holder no longer reviews"
            data = {"holder": application.claimed_by_name}
            subject = application_subject(application)
            record("application.lease_ended", actor=actor, subject=subject, at=at, reason=why, data=data)
            avoid[application.pk] = (str(held),)
        end_lease(application)
        application.assigned_to, application.assigned_name = None, ""
        application.save(update_fields=[*_LEASE, *_ASSIGNED])
    return avoid


_LEASE = ("claimed_by", "claimed_by_name", "claimed_until")
_ASSIGNED = ("assigned_to", "assigned_name")


def _assign(actor: Actor, application: Application, chosen: Load, at: datetime) -> None:
    application.assigned_to_id, application.assigned_name = int(chosen.id), chosen.name
    application.save(update_fields=list(_ASSIGNED))  # no new version: it changes nothing that a form shows
    data = {"to": chosen.name, "in_hand": str(chosen.total)}
    record("application.assigned", actor=actor, subject=application_subject(application), at=at, data=data)
