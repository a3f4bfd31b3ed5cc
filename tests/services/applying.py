"""What tests of applications share: answers that are complete, and people who file and decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from release_portal.access.agreements.services import agreement_in_force
from release_portal.access.application_rules import Answers
from release_portal.access.applications import save_application, submit_application
from release_portal.access.attestations.facts import digest_now, needs_of
from release_portal.access.attestations.rules import CONFIRMED, INSTITUTION, LIFE, REFEREE
from release_portal.access.attestations.services import Person, name_attester
from release_portal.access.conditions import USUAL, Conditions
from release_portal.access.models import Application, Attestation
from release_portal.access.review_desk import largest_open, risk_facing
from tests.world import SERVED, World

DAY = timedelta(days=1)


def answers(at: datetime, **changes: Any) -> Answers:
    """A complete application."""
    full = Answers(
        purpose_code="P01",
        purpose="How short can a text be before detection fails?",
        affiliation="An institute",
        intended_use="Counted, and kept for a year.",
        functions=("generate", "detect"),
        requested_end=(at + 100 * DAY).date(),
    )
    return replace(full, **changes)


@transaction.atomic
def submit(
    world: World, name: str, at: datetime, *, renews: str = "", version: int = 0, vouched: bool = True, **changes: Any
) -> Application:
    """Somebody hands in a complete application for the served size; who must vouch for it has done so."""
    actor, given = world.actor(name), answers(at, **changes)
    with transaction.atomic():
        draft = save_application(actor, SERVED, given, expected_version=version, at=at, renews=renews)
        kinds = kinds_needed(draft, at)
        for kind in kinds:
            name_attester(actor, draft.pk, kind, PEOPLE[kind], expected_version=0, at=at)
        transaction.set_rollback(not kinds)  # nobody is needed: it is handed in at once, as it was never a draft
    sent = submit_application(
        actor,
        SERVED,
        given,
        agreement_hash=agreement_in_force(at).sha256,
        expected_version=draft.version if kinds else version,
        at=at,
        renews=renews,
    )
    return vouch(sent, at) if vouched else sent


PEOPLE = {
    REFEREE: Person("Rae Referee", "rae@referees.example", "supervisor"),
    INSTITUTION: Person("Otto Officer", "otto@office.institute.example", "head", "institute.example"),
}


def kinds_needed(application: Application, at: datetime) -> list[str]:
    """Who must vouch for an application as it stands."""
    tier = risk_facing(application, largest_open(), at).tier
    return [one.kind for one in needs_of(application, tier)]


def vouch(application: Application, at: datetime, *kinds: str) -> Application:
    """Write that everybody who is named has confirmed, or that people of these kinds have."""
    for kind in set(kinds) - {one.kind for one in application.attestations.all()}:
        Attestation.objects.create(application=application, kind=kind, mail=PEOPLE[kind].mail, named_at=at)
    for one in application.attestations.all():
        one.application = application
        one.statement_digest, one.link_digest, one.ended_at = digest_now(one), "", at
        one.state, one.valid_until = CONFIRMED, at + LIFE
        one.save()
    return application


def conditions(application: Application, **changes: Any) -> Conditions:
    """Everything that was asked for, at the usual quota."""
    return replace(Conditions(tuple(application.functions), application.requested_end, USUAL), **changes)
