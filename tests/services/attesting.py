"""What tests of attestations share: an application that waits for people, and the links in their mail."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from django.core import mail

from release_portal.access.attestations.answers import confirm_attestation, open_attestation
from release_portal.access.attestations.facts import asked_of, digest_now
from release_portal.access.attestations.lookups import attestation_by_link
from release_portal.access.attestations.rules import RELATIONS
from release_portal.access.attestations.services import Person, name_attester, swap_attester
from release_portal.access.attestations.statements import Reply, sentences
from release_portal.access.models import Application, Attestation
from release_portal.core.actors import ANONYMOUS
from release_portal.notices.services import send_due_mail
from tests.services.applying import PEOPLE, submit
from tests.world import World

LINK = re.compile(r"/attestations/link/([\w-]+)/")
OTHER = Person("Uma Other", "uma@elsewhere.example", "colleague")


def waiting(world: World, at: datetime, name: str = "finn", **changes: Any) -> Application:
    """Somebody sends an application of tier 2; its referee is asked and has not answered."""
    return submit(world, name, at, purpose_code="P05", vouched=False, **changes)


def asked(application: Application, kind: str = "referee") -> Attestation:
    """The latest request of a kind."""
    return Attestation.objects.filter(application=application, kind=kind).order_by("-number")[0]


def mailed(address: str, at: datetime) -> str:
    """The token in the newest mail to an address."""
    send_due_mail(at=at)
    bodies = [str(one.body) for one in mail.outbox if one.to == [address]]
    return LINK.findall(bodies[-1])[0]


def token_of(application: Application, at: datetime, kind: str = "referee") -> str:
    """The token that works now, out of the mail."""
    return mailed(asked(application, kind).mail, at)


def reply(found: Attestation, **changes: Any) -> Reply:
    """A complete reply."""
    codes = tuple(one.code for one in sentences(found.kind, asked_of(found)))
    return Reply(**{"relation": next(iter(RELATIONS[found.kind])), "since": "2019", "confirmed": codes, **changes})


def confirm(token: str, at: datetime, **changes: Any) -> Attestation:
    """The person opens the link and confirms."""
    found = attestation_by_link(ANONYMOUS, token, at)
    if found.state == "requested":
        found = open_attestation(ANONYMOUS, token, at=at)
    return confirm_attestation(ANONYMOUS, token, reply(found, **changes), seen=digest_now(found), at=at)


def name(world: World, application: Application, at: datetime, kind: str = "referee", **changes: Any) -> Attestation:
    """The applicant names somebody."""
    person = changes.pop("person", PEOPLE[kind])
    version = changes.pop("version", 0)
    actor = world.actor(application.applicant.username)
    return name_attester(actor, application.pk, kind, person, expected_version=version, at=at)


def swap(world: World, application: Application, at: datetime, person: Person = OTHER) -> Attestation:
    """The applicant names another referee."""
    found = asked(application)
    actor = world.actor(application.applicant.username)
    return swap_attester(actor, application.pk, found.pk, person, expected_version=found.version, at=at)
