"""The duty roster: who can be reached and act at a time."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import transaction
from django.db.models import QuerySet

from release_portal.accounts.lookups import holders_of
from release_portal.accounts.models import DutyShift, User
from release_portal.accounts.roles import Role
from release_portal.accounts.services import subject_of
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision, allow, may_not
from release_portal.core.errors import InvalidInput, NotFound, NotNow, error_of

PLANNERS = (Role.OPERATOR.value, Role.RELEASE_MANAGER.value, Role.ADMINISTRATOR.value)


@transaction.atomic
def add_shift(actor: Actor, user: User, *, starts_at: datetime, ends_at: datetime, at: datetime) -> DutyShift:
    """Put a duty officer on the roster for a time.

    Raises:
        NotAllowed: the actor does not plan the roster.
        InvalidInput: the person is no duty officer, or the end is not after the start and after now.
        NotNow: the person is on the roster in that time already.
    """
    _check_planner(actor, "duty: add")
    starts_at, ends_at = starts_at.astimezone(UTC), ends_at.astimezone(UTC)
    person = User.objects.select_for_update().get(pk=user.pk)  # one planner at a time for each person
    _check_officer(person)
    _check_span(starts_at, ends_at, at)
    other = person.duty_shifts.filter(starts_at__lt=ends_at, ends_at__gt=starts_at).first()
    if other is not None:
        raise NotNow(
            f"{person.username} is on duty from {other.starts_at:%d %B %Y, %H:%M UTC} already.",
            code="overlap",
            rule="duty: add",
            change="Choose a time outside that shift, or remove it first.",
        )
    shift = DutyShift.objects.create(user=person, starts_at=starts_at, ends_at=ends_at, added_by=actor.name)
    _record("duty.added", actor, shift, at)
    return shift


@transaction.atomic
def remove_shift(actor: Actor, shift_id: int, *, at: datetime) -> None:
    """Take a shift off the roster; one that has begun ends now instead, so that it is known who was on duty.

    Raises:
        NotAllowed: the actor does not plan the roster.
        NotFound: there is no such shift.
        NotNow: it is over.
    """
    _check_planner(actor, "duty: remove")
    shift = DutyShift.objects.select_for_update(of=("self",)).select_related("user").filter(pk=shift_id).first()
    if shift is None:
        raise NotFound("There is no such shift.", change="The duty roster lists them.")
    if shift.ends_at <= at:
        raise NotNow("This shift is over.", code="over", rule="duty: remove", change="Nothing is left to do.")
    _record("duty.removed", actor, shift, at)
    if shift.starts_at < at:
        shift.ends_at = at
        shift.save(update_fields=["ends_at"])
    else:
        shift.delete()


def on_duty(at: datetime) -> list[User]:
    """Return who is on duty at that time: each person once, and only who still is a duty officer."""
    running = DutyShift.objects.running(at).values("user")
    return list(holders_of(Role.DUTY_OFFICER).filter(pk__in=running))


def shifts_ahead(at: datetime) -> QuerySet[DutyShift]:
    """Return the shifts that run or are to come, the next first."""
    return DutyShift.objects.not_over(at).select_related("user")


def may_plan(actor: Actor, rule: str = "duty: plan") -> Decision:
    """Decide whether the actor may change the roster."""
    if actor.scopes is None and actor.has_role(*PLANNERS):
        return allow("planner", "Operators, release managers and administrators plan the roster.", rule)
    reason = "The duty roster is planned by operators, release managers and administrators."
    return may_not("role", reason, rule, "Ask one of them.")


def _check_planner(actor: Actor, rule: str) -> None:
    decision = may_plan(actor, rule)
    if not decision:
        raise error_of(decision)


def _check_officer(person: User) -> None:
    if not (person.is_active and person.role_assignments.filter(role=Role.DUTY_OFFICER).exists()):
        change = "An administrator gives the role; then add the shift."
        raise InvalidInput(f"{person.username} is no duty officer.", field="user", change=change)


def _check_span(starts_at: datetime, ends_at: datetime, at: datetime) -> None:
    if ends_at <= starts_at:
        raise InvalidInput("The end must lie after the start.", field="ends_at", change="Choose a later end.")
    if ends_at <= at.astimezone(UTC):
        raise InvalidInput("The end must lie in the future.", field="ends_at", change="Choose a later end.")


def _record(kind: str, actor: Actor, shift: DutyShift, at: datetime) -> None:
    data = {
        "shift": shift.pk,
        "account": shift.user.username,
        "starts_at": shift.starts_at.isoformat(),
        "ends_at": shift.ends_at.isoformat(),
    }
    record(kind, actor=actor, subject=subject_of(shift.user), at=at, data=data)
