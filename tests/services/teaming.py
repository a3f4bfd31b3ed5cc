"""What tests of teams share: people with proven addresses, a draft with a team, the mailed link, a cohort."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress
from django.core import mail

from release_portal.access.agreements.services import agreement_in_force
from release_portal.access.applications import save_application
from release_portal.access.models import Application, Cohort, Grant, Seat
from release_portal.access.people.cohort_rules import LAB, Wish
from release_portal.access.people.cohorts import ask_for_cohort
from release_portal.access.people.invitations import invite_to_application, invite_to_grant
from release_portal.access.people.joining import join_by_link
from release_portal.access.reviews import approve_application
from release_portal.core.clock import now
from release_portal.notices.services import send_due_mail
from tests.services.applying import answers, conditions, submit
from tests.world import SERVED, World

DAY = timedelta(days=1)


def mail_of(world: World, name: str) -> str:
    """The address of somebody of the cast, proven to be theirs."""
    person = world.people[name]
    EmailAddress.objects.get_or_create(user=person, email=person.email, defaults={"verified": True, "primary": True})
    return str(person.email)


def draft(world: World, name: str, at: datetime, **more: Any) -> Application:
    """A complete draft that is not handed in."""
    return save_application(world.actor(name), SERVED, answers(at), expected_version=0, at=at, **more)


def link_of(seat: Seat, at: datetime) -> str:
    """The token that was mailed to the invited address, read from the mail that went out."""
    # Views write mail by the real clock, which a long run leaves far ahead of the world's time.
    while send_due_mail(at=max(at, now()) + timedelta(hours=1)):
        pass
    sent = [one for one in mail.outbox if one.to == [seat.mail]]
    return re.findall(r"/invitations/link/([\w-]+)/", str(sent[-1].body))[-1]


def join(world: World, name: str, seat: Seat, at: datetime, **changes: Any) -> Seat:
    """The invited person joins by the mailed link."""
    mail_of(world, name)
    given = {"agreement_hash": agreement_in_force(at).sha256, "affiliation": f"Institute of {name}"} | changes
    return join_by_link(world.actor(name), link_of(seat, at), at=at, **given)


def approved(world: World, application: Application, at: datetime) -> Grant:
    """An access lead approves everything that was asked for."""
    sent = Application.objects.get(pk=application.pk)
    grant = approve_application(world.actor("ivy"), sent.pk, conditions(sent), expected_version=sent.version, at=at)
    assert grant is not None
    return grant


def team_grant(world: World, at: datetime, *members: str, lead: str = "finn", joined: bool = True) -> Grant:
    """A grant of finn's with named members who joined while it was a draft."""
    application = draft(world, lead, at)
    if members:
        mails = " ".join(mail_of(world, name) for name in members)
        seats = invite_to_application(world.actor(lead), application.pk, mails, at=at)
        for name, seat in zip(members, seats, strict=True):
            if joined:
                join(world, name, seat, at)
    submit(world, lead, at, version=application.version)
    return approved(world, application, at)


def cohort_grant(world: World, at: datetime, seats: int = 4, *members: str, last: int = 60, **changes: Any) -> Grant:
    """A grant of finn's for a lab, with members who joined."""
    application = draft(world, "finn", at)
    wish = Wish(LAB, seats, changes.get("first_day"), (at + last * DAY).date())
    ask_for_cohort(world.actor("finn"), application.pk, wish, expected_version=0, at=at)
    submit(world, "finn", at, version=application.version)
    grant = approved(world, application, at)
    for name in members:
        (seat,) = invite_to_grant(world.actor("finn"), grant.pk, mail_of(world, name), at=at)
        join(world, name, seat, at)
    return grant


def seat_of(grant: Grant, world: World, name: str) -> Seat:
    """The last seat of somebody on a grant."""
    return Seat.objects.filter(grant=grant, person=world.people[name]).latest("pk")


def cohort_now(grant: Grant) -> Cohort:
    """The cohort as the database knows it."""
    return Cohort.objects.get(grant=grant)
