"""An applicant accepts the extra terms of an approval: everything is checked again, then the grant is made."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.agreements.rules import Standing
from release_portal.access.agreements.signatures import signature_of
from release_portal.access.application_rules import GRANTED
from release_portal.access.applications import application_subject, locked, set_state
from release_portal.access.models import Application, Grant, TermsOffer
from release_portal.access.offers import accept, check_digest
from release_portal.access.people.opening import open_team
from release_portal.access.programmes.applying import still_eligible
from release_portal.access.reviews import check_conditions, check_stage, give, tell_approved
from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import NotNow, error_of

# People approved and the applicant accepts; what follows from both is carried out under this name.
ACTIVATION = system_actor("activation")


@transaction.atomic
def accept_terms(actor: Actor, application_id: str, digest: str, *, expected_version: int, at: datetime) -> Grant:
    """Accept the terms under which an application was approved; the grant begins now.

    Args:
        actor: the applicant.
        digest: hash of the terms that were shown; empty when they were not accepted.

    Raises:
        NotNow: the terms are not those that were shown, or what was approved can no longer be given.
    """
    application = locked(actor, "accept_terms", application_id, expected_version)
    offer = TermsOffer.objects.select_for_update().waiting().get(application=application)
    check_digest(offer, digest)
    conditions = offer.conditions()
    check_stage(application)
    check_conditions(application, conditions, at)
    _check_eligible(application, at)
    _check_signature(application, at)
    grant = give(ACTIVATION, application, conditions, at)
    accept(actor, offer, grant, at=at, application=application)
    application.grant = grant
    open_team(ACTIVATION, application, grant, at=at, seats=conditions.seats)
    set_state(application, GRANTED)
    data = {"grant": grant.pk, "digest": offer.digest}
    record("application.activated", actor=actor, subject=application_subject(application), at=at, data=data)
    tell_approved(application, grant, conditions, at)
    return grant


def _check_eligible(application: Application, at: datetime) -> None:
    decision = still_eligible("accept terms", application, at)
    if not decision:
        raise error_of(decision)


def _check_signature(application: Application, at: datetime) -> None:
    if signature_of(application.applicant_id, at).standing is Standing.LAPSED:
        raise NotNow(
            "A newer version of the agreement waits for your signature.",
            code="terms_lapsed",
            rule="application: accept terms",
            change="Sign it first; what was approved waits.",
        )
