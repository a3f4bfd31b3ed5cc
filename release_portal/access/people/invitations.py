"""Invite people: name them on a draft, or give them a free seat on a grant; take an invitation back."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from release_portal.access.models import Application, Grant, Seat
from release_portal.access.models.people import SeatQuerySet
from release_portal.access.people import seat_rules
from release_portal.access.people.cohort_rules import RUNNING, decide_invite
from release_portal.access.people.ends import SWEEPER, expire
from release_portal.access.people.links import mail_invitation
from release_portal.access.people.records import check, record_seat
from release_portal.access.people.seat_rules import INVITED, SEAT
from release_portal.access.people.teams import Team, relations_to_team
from release_portal.accounts.models import User
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotNow
from release_portal.core.link_tokens import digest_of, new_token

FIELD = "mails"


@transaction.atomic
def invite_to_application(actor: Actor, application_id: str, mails: str, *, at: datetime) -> list[Seat]:
    """Name team members on a draft; each is sent a link of their own.

    Args:
        actor: the applicant.
        application_id: a draft.
        mails: addresses, parted by blanks, commas, semicolons or lines.
        at: the time of asking.

    Raises:
        InvalidInput: something is no address; it is named, and nothing was sent.
        NotNow: too few seats, somebody is invited already, or the application is no draft any more.
    """
    found = Application.objects.select_for_update(of=("self",)).select_related("applicant", "size", "cohort")
    return _invite(actor, Team(found.get(pk=application_id)), mails, None, at)


@transaction.atomic
def invite_to_grant(actor: Actor, grant_id: str, mails: str, *, at: datetime, until: date | None = None) -> list[Seat]:
    """Give free seats of a grant: those of a cohort to anybody, else to people whom the application named.

    Args:
        actor: the lead of the cohort, or the holder.
        grant_id: which grant.
        mails: addresses, parted by blanks, commas, semicolons or lines.
        at: the time of asking.
        until: last day of these seats, where it is earlier than the others' end.

    Raises:
        InvalidInput: something is no address; it is named, and nothing was sent.
        NotNow: no seat is free, somebody has one already, or nobody can be invited now.
    """
    found = Grant.objects.select_for_update(of=("self",)).select_related("holder", "cohort")
    return _invite(actor, Team(None, found.get(pk=grant_id)), mails, until, at)


def _invite(actor: Actor, team: Team, text: str, until: date | None, at: datetime) -> list[Seat]:
    check(decide_inviting(actor, team, at))
    mails = _read(text)
    if problem := seat_rules.read_until(until, at):
        raise InvalidInput(problem, field="until")
    _check_people(team, mails, at)
    check(seat_rules.decide_room(team.used(at), len(mails), team.seats()))
    day = Seat.objects.filter(invited_by_id=actor.id, invited_at__gt=at - timedelta(days=1)).count()
    check(seat_rules.decide_pace(day, len(mails), at + timedelta(days=1)))
    return [_give(actor, team, mail, until, at) for mail in mails]


def decide_inviting(actor: Actor, team: Team, at: datetime) -> Decision:
    """Return whether the actor may invite somebody now; the page asks the same as the service."""
    answers = [
        SEAT.decide("invite", seat_rules.NEW, relations_to_team(actor, team)),
        seat_rules.decide_place(is_open=team.takes_invitations() and team.is_open(at)),
    ]
    if team.cohort is not None and team.cohort.state in RUNNING:
        answers.append(decide_invite(team.cohort.state_at(at), has_lead=team.cohort.has_lead))
    answers.append(seat_rules.decide_room(team.used(at), 1, team.seats()))
    return next((one for one in answers if not one.allowed), answers[-1])


def _read(text: str) -> list[str]:
    """Return the addresses; what is none is named, so that a long list can be mended."""
    mails = seat_rules.read_mails(text.replace("\x00", "\ufffd"))
    if not mails:
        raise InvalidInput("Write at least one address.", field=FIELD)
    wrong = [mail[:60] for mail in mails if not _is_address(mail)]
    if wrong:
        shown = ", ".join(wrong[:5]) + (", ..." if len(wrong) > 5 else "")
        change = "Write mail addresses alone, parted by commas or lines. Nothing was sent."
        raise InvalidInput(f"No mail address: {shown}.", field=FIELD, change=change)
    return mails


def _is_address(mail: str) -> bool:
    try:
        validate_email(mail)
    except ValidationError:
        return False
    return len(mail) <= seat_rules.LONGEST_MAIL


def _check_people(team: Team, mails: list[str], at: datetime) -> None:
    """Nobody twice, nobody around a suspension, and without a cohort nobody whom no reviewer saw."""
    own = User.objects.filter(pk=team.owner_id).values_list("email", flat=True).first() or ""
    if own.casefold() in mails:
        raise InvalidInput("You have a place already; name the others.", field=FIELD)
    _end_old_invitations(team, mails, at)
    rows = _everywhere(team).filter(mail__in=mails)
    if rows.filter(suspensions__ended_at=None, suspensions__isnull=False).exists():
        check(seat_rules.decide_second_seat(has_seat=False, is_holder=False, is_suspended=True))
    taken = sorted(rows.taken(at).values_list("mail", flat=True))
    if taken:
        raise NotNow(
            f"They have a seat or an invitation already: {', '.join(taken[:5])}.",
            code="seated",
            field=FIELD,
            rule="seat: invite",
            change="Leave them out. Nothing was sent.",
        )
    if team.grant is not None and team.cohort is None:
        check(seat_rules.decide_named(mails, team.named()))


def _everywhere(team: Team) -> SeatQuerySet:
    """A renewal names nobody who sits on the grant already."""
    renewed = team.application.renews_id if team.application and not team.grant else None
    return team.rows() | Seat.objects.filter(grant=renewed) if renewed else team.rows()


def _end_old_invitations(team: Team, mails: list[str], at: datetime) -> None:
    """The database lets one live row stand for each address; what is over makes room."""
    for seat in team.rows().select_for_update(of=("self",)).filter(mail__in=mails, ends_at__lte=at):
        if seat.state in seat_rules.TAKEN:
            expire(SWEEPER, seat, at=at)


def _give(actor: Actor, team: Team, mail: str, until: date | None, at: datetime) -> Seat:
    token = new_token()
    named_in = team.application
    if team.grant is not None and team.cohort is None:
        earlier = team.rows().exclude(application=None).filter(mail=mail).select_related("application").first()
        named_in = earlier.application if earlier else None
    seat = Seat.objects.create(
        application=named_in,
        grant=team.grant,
        mail=mail,
        state=INVITED,
        link_digest=digest_of(token),
        invited_by_id=actor.id,
        invited_by_name=actor.name,
        invited_at=at,
        until=until,
        ends_at=at + seat_rules.INVITATION,
    )
    record_seat("seat.invited", actor, seat, at)
    mail_invitation(seat, token, purpose=team.purpose, at=at)
    return seat
