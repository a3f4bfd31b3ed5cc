"""Cohorts: asked for on a draft, opened with the approval, led by somebody, closed by the lead or by their end."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.application_rules import DECIDERS, decide_command, relations
from release_portal.access.models import Application, Cohort, Grant, Seat
from release_portal.access.models.people import SeatQuerySet
from release_portal.access.people import cohort_rules
from release_portal.access.people.cohort_rules import COHORT, RUNNING, Wish
from release_portal.access.people.ends import SWEEPER, expire
from release_portal.access.people.records import check, end_seat, reason_of
from release_portal.access.people.seat_rules import JOINED, TAKEN
from release_portal.access.people.teams import Team, is_free, relations_to_team, uses
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotNow, StaleVersion
from release_portal.notices.services import notify_each


@transaction.atomic
def ask_for_cohort(actor: Actor, application_id: str, wish: Wish, *, expected_version: int, at: datetime) -> Cohort:
    """Ask on a draft that a lab or a class may use the grant; asking again replaces what was asked.

    Args:
        actor: the applicant.
        application_id: a draft.
        wish: kind, seats, days.
        expected_version: version of the wish that the form showed; 0 when there was none.
        at: the time of asking.
    """
    application = _draft(actor, application_id)
    cohort = _asked(application)
    _check_version(cohort, expected_version)
    for problem in cohort_rules.wish_problems(wish, used=Team(application).used(at), at=at):
        raise InvalidInput(problem.reason, field=problem.field)
    if cohort is None:
        cohort = Cohort(application=application, version=0, created_at=at)
    cohort.kind, cohort.seats, cohort.state = wish.kind, wish.seats, cohort_rules.PROPOSED
    cohort.first_day, cohort.last_day, cohort.version = wish.first_day, wish.last_day, cohort.version + 1
    cohort.save()
    _record("cohort.asked", actor, cohort, at, cohort_kind=wish.kind, seats=wish.seats)
    return cohort


@transaction.atomic
def drop_cohort(actor: Actor, application_id: str, *, expected_version: int, at: datetime) -> None:
    """Apply without a cohort after all; the people who were named stay named."""
    application = _draft(actor, application_id)
    cohort = _asked(application)
    _check_version(cohort, expected_version)
    if cohort is None or cohort.state != cohort_rules.PROPOSED:
        return
    _move(cohort, "drop")
    _record("cohort.closed", actor, cohort, at)


def _draft(actor: Actor, application_id: str) -> Application:
    found = Application.objects.select_for_update(of=("self",)).select_related("size__standing", "applicant")
    application = found.get(pk=application_id)
    applicant, stage = str(application.applicant_id), application.size.standing.stage
    check(decide_command("save", application.state, actor, applicant, stage))
    check(COHORT.decide("ask", cohort_rules.NEW, relations(actor, applicant)))
    return application


def _asked(application: Application) -> Cohort | None:
    return Cohort.objects.select_for_update(of=("self",)).filter(application=application).first()


# --- Leading ---------------------------------------------------------------------------------------------------------


def relations_to_cohort(actor: Actor, cohort: Cohort) -> frozenset[str]:
    """Return under which relations a person knows a running cohort; who uses the grant has no role over it."""
    if actor.is_system or cohort.grant is None:
        return frozenset({"system"} if actor.is_system else ())
    own = set(relations_to_team(actor, Team(None, cohort.grant)))
    if is_free(actor) and cohort.deputy_id == actor.account_id:
        own.add("deputy")
    is_outside = not own and actor.scopes is None and not uses(actor, cohort.grant)
    return frozenset(own) | (actor.roles if is_outside else frozenset())


def decide_cohort(name: str, actor: Actor, cohort: Cohort, at: datetime) -> Decision:
    """Return whether the actor may give a command on a running cohort now; pages ask the same as services."""
    decision = COHORT.decide(name, cohort.state_at(at), relations_to_cohort(actor, cohort))
    if decision and name == "take":
        return cohort_rules.decide_taking(has_lead=cohort.has_lead)
    return decision


@transaction.atomic
def name_deputy(actor: Actor, grant_id: str, seat_id: int, *, expected_version: int, at: datetime) -> Cohort:
    """Name the member who takes over when there is no lead: by the lead, or by those who decide on access."""
    cohort = _locked(actor, "name", grant_id, expected_version, at)
    seat = Seat.objects.select_related("person").filter(grant=grant_id, pk=seat_id, state=JOINED).first()
    person = seat.person if seat else None
    is_lead = person is not None and person.pk == cohort.lead_id
    check(cohort_rules.decide_deputy(is_member=person is not None, is_lead=is_lead))
    assert person is not None
    cohort.deputy = person
    _move(cohort, "name")
    _record("cohort.deputy_named", actor, cohort, at)
    _tell([person], "cohort_deputy", cohort, at)
    return cohort


@transaction.atomic
def hand_over(actor: Actor, grant_id: str, *, reason: str, expected_version: int, at: datetime) -> Cohort:
    """The lead leaves: members go on for 14 days, by when a deputy leads, or nothing new starts."""
    cohort = _locked(actor, "hand", grant_id, expected_version, at)
    text = reason_of(reason, "Say why you leave; members read it.")
    _leave_alone(actor, cohort, "hand", "cohort.lead_left", text, at)
    return cohort


@transaction.atomic
def note_lost_leads(actor: Actor, *, at: datetime) -> int:
    """Start the 14 days of every cohort whose lead has no account any more."""
    lost = Cohort.objects.select_for_update(of=("self",)).filter(
        state__in=sorted(RUNNING), without_lead_since=None, lead__is_active=False, ends_at__gt=at
    )
    found = list(lost.select_related("grant", "lead", "deputy"))
    for cohort in found:
        _note_loss(actor, cohort, at)
    return len(found)


def _note_loss(actor: Actor, cohort: Cohort, at: datetime) -> None:
    check(COHORT.decide("lose", cohort.state, {actor.kind.value}))
    _leave_alone(actor, cohort, "lose", "cohort.lead_lost", "the account of the lead is closed", at)


def _leave_alone(actor: Actor, cohort: Cohort, command: str, kind: str, reason: str, at: datetime) -> None:
    cohort.without_lead_since = at
    _move(cohort, command)
    seat = _seats(cohort).filter(person=cohort.lead).first()
    if seat is not None:
        end_seat(actor, seat, "leave", kind="seat.left", reason=reason, at=at)
    _record(kind, actor, cohort, at, reason=reason)
    until = f"{cohort.pauses_at:%d %B %Y, %H:%M UTC}"
    people = [cohort.deputy] if cohort.deputy else _deciders(cohort)
    _tell([*people, *_members(cohort)], "cohort_without_lead", cohort, at, reason=reason, until=until)


@transaction.atomic
def take_over(actor: Actor, grant_id: str, *, expected_version: int, at: datetime) -> Cohort:
    """The deputy leads and holds the grant: the same scope, seats and end; what was paused goes on."""
    cohort = _locked(actor, "take", grant_id, expected_version, at)
    assert cohort.deputy is not None
    assert cohort.grant is not None
    cohort.lead, cohort.deputy, cohort.without_lead_since = cohort.deputy, None, None
    _move(cohort, "take")
    Grant.objects.filter(pk=cohort.grant_id).update(holder=cohort.lead)
    _record("cohort.taken_over", actor, cohort, at)
    _tell(_members(cohort), "cohort_taken_over", cohort, at, lead=actor.name)
    return cohort


@transaction.atomic
def pause_cohorts(actor: Actor, *, at: datetime) -> int:
    """Write down that a cohort had no lead for 14 days; use has stopped already, at its own check."""
    alone = Cohort.objects.select_for_update(of=("self",)).filter(
        state=cohort_rules.ACTIVE, without_lead_since__lte=at - cohort_rules.WITHOUT_LEAD, ends_at__gt=at
    )
    found = list(alone.select_related("grant"))
    for cohort in found:
        check(COHORT.decide("pause", cohort.state, {actor.kind.value}))
        _move(cohort, "pause")
        _record("cohort.paused", actor, cohort, at, reason="14 days without a lead")
        _tell([*_deciders(cohort), *_members(cohort)], "cohort_paused", cohort, at)
    return len(found)


# --- Closing ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def close_cohort(actor: Actor, grant_id: str, *, reason: str, expected_version: int, at: datetime) -> Cohort:
    """The lead ends the cohort: every seat ends, and each member is told."""
    cohort = _locked(actor, "close", grant_id, expected_version, at)
    _close(actor, cohort, reason_of(reason, "Say why; members read it."), at)
    return cohort


@transaction.atomic
def close_ended_cohorts(actor: Actor, *, at: datetime) -> int:
    """Write down the ends that were reached."""
    ended = Cohort.objects.select_for_update(of=("self",)).filter(state__in=sorted(RUNNING), ends_at__lte=at)
    found = list(ended.select_related("grant"))
    for cohort in found:
        check(COHORT.decide("close", cohort.state, {actor.kind.value}))
        _close(actor, cohort, "its end is reached", at)
    return len(found)


def _close(actor: Actor, cohort: Cohort, reason: str, at: datetime) -> None:
    for seat in _seats(cohort):
        expire(actor, seat, at=at, reason=reason)
    _move(cohort, "close")
    _record("cohort.closed", actor, cohort, at, reason=reason)


# --- Shared ----------------------------------------------------------------------------------------------------------


def _locked(actor: Actor, command: str, grant_id: str, expected_version: int, at: datetime) -> Cohort:
    found = Cohort.objects.select_for_update(of=("self",)).select_related("grant__holder", "lead", "deputy")
    cohort = found.filter(grant=grant_id).first()
    if cohort is None:
        raise NotNow("This grant has no cohort.", code="no_cohort", rule="cohort", change="Ask for one when you renew.")
    check(decide_cohort(command, actor, cohort, at))
    _check_version(cohort, expected_version)
    if cohort.without_lead_since is None and not cohort.has_lead:
        _note_loss(SWEEPER, cohort, at)
    return cohort


def _check_version(cohort: Cohort | None, expected_version: int) -> None:
    if (cohort.version if cohort else 0) != expected_version:
        raise StaleVersion("The cohort changed while this form was open.", change="Look again, then decide.")


def _move(cohort: Cohort, command: str) -> None:
    cohort.state, cohort.version = COHORT.command(command).target or cohort.state, cohort.version + 1
    cohort.save()


def _seats(cohort: Cohort) -> SeatQuerySet:
    rows = Seat.objects.select_for_update(of=("self",)).select_related("person", "grant__cohort")
    return rows.filter(grant=cohort.grant, state__in=sorted(TAKEN))


def _members(cohort: Cohort) -> list[User]:
    """Everybody who sits on it but the lead and the deputy, who are told in their own words."""
    rows = _seats(cohort).filter(person__isnull=False).exclude(person__in=[cohort.lead_id, cohort.deputy_id or 0])
    return [seat.person for seat in rows if seat.person]


def _deciders(cohort: Cohort) -> list[User]:
    assert cohort.grant is not None
    role = DECIDERS["partner" if cohort.grant.kind == "partner" else "research"]
    return list(User.objects.filter(role_assignments__role=role, is_active=True).order_by("pk").distinct())


def _record(kind: str, actor: Actor, cohort: Cohort, at: datetime, *, reason: str = "", **data: str | int) -> None:
    subject = f"grant:{cohort.grant_id}" if cohort.grant_id else f"application:{cohort.application_id}"
    facts = {"cohort": cohort.pk, "state": cohort.state, "version": cohort.version, **data}
    record(kind, actor=actor, subject=subject, at=at, reason=reason, data=facts)


def _tell(people: list[User], kind: str, cohort: Cohort, at: datetime, **more: str) -> None:
    assert cohort.grant is not None
    facts = {"purpose": cohort.grant.purpose, "grant": cohort.grant.pk, **more}
    notify_each(dict.fromkeys(people), kind, facts, at=at, path="/grants/")
