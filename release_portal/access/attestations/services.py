"""What applicants do about those who vouch: name, swap, mail again, cancel, ask anew."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from release_portal.access.application_rules import DRAFT, relations
from release_portal.access.attestations import rules
from release_portal.access.attestations.facts import around, latest_of
from release_portal.access.attestations.links import mail_link
from release_portal.access.attestations.offers import decision_on, is_free, swaps_of
from release_portal.access.attestations.people_rules import domain_of, mailbox_of, may_name, unreadable_name
from release_portal.access.attestations.rules import EXPIRED, INSTITUTION, LIVE, NAMED, RELATIONS
from release_portal.access.attestations.writing import ask, move, note
from release_portal.access.models import Application, Attestation
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotFound, NotNow, StaleVersion, error_of


@dataclass(frozen=True)
class Person:
    """Somebody whom an applicant names.

    Args:
        name: how they are called.
        mail: their own address; the link goes there and nowhere else.
        relation: how they stand to the applicant, as the applicant says.
        domain: of the institution, for its officer.
    """

    name: str
    mail: str
    relation: str = ""
    domain: str = ""


@transaction.atomic
def name_attester(
    actor: Actor, application_id: str, kind: str, person: Person, *, expected_version: int, at: datetime
) -> Attestation:
    """Name somebody who vouches; while the application is a draft nobody is mailed, afterwards at once.

    Args:
        actor: the applicant.
        application_id: which application.
        kind: referee or institution.
        person: who it is.
        expected_version: version of the naming in the draft that the form showed; 0 when nobody was named.
        at: the time of naming.

    Raises:
        InvalidInput: the person cannot be read, or must not vouch; the code says by which rule.
        NotNow: somebody is asked already, or the application is decided.
    """
    application = _locked(actor, application_id, kind)
    found = latest_of(application).get(kind)
    _check(decision_on("name", actor, application, found, at))
    _check_version(found.version if found else 0, expected_version)
    _check_person(application, kind, person)
    named = _named(application, kind, person, at, found=found)
    note(actor, "attestation.named", named, at)
    if application.state != DRAFT:
        ask(actor, named, at)
    return named


@transaction.atomic
def swap_attester(
    actor: Actor, application_id: str, attestation_id: str, person: Person, *, expected_version: int, at: datetime
) -> Attestation:
    """Name another person instead: at most twice for each kind; a request that is open dies with it.

    Raises:
        NotNow: the swaps are used up, or the person confirmed.
    """
    found = _locked_attestation(actor, application_id, attestation_id, "swap", expected_version, at)
    application = found.application
    _check_person(application, found.kind, person)
    if found.state in LIVE:
        _close(actor, found, at)
    made = _named(application, found.kind, person, at, swap=0 if is_free(found) else swaps_of(found) + 1)
    note(actor, "attestation.swapped", made, at, instead_of=found.pk)
    if application.state != DRAFT:
        ask(actor, made, at)
    return made


@transaction.atomic
def resend_link(
    actor: Actor, application_id: str, attestation_id: str, *, expected_version: int, at: datetime
) -> Attestation:
    """Mail a new link to the same address; the one before it is dead, and the clock goes on."""
    found = _locked_attestation(actor, application_id, attestation_id, "resend", expected_version, at)
    found.resent += 1
    mail_link(found, "attestation_asked", at=at)
    move(found, "resend", at)
    note(actor, "attestation.resent", found, at)
    return found


@transaction.atomic
def cancel_attestation(
    actor: Actor, application_id: str, attestation_id: str, *, expected_version: int, at: datetime
) -> Attestation:
    """Take a request back; its link is dead."""
    found = _locked_attestation(actor, application_id, attestation_id, "cancel", expected_version, at)
    _close(actor, found, at)
    return found


@transaction.atomic
def ask_again(
    actor: Actor, application_id: str, attestation_id: str, *, expected_version: int, at: datetime
) -> Attestation:
    """Ask the person anew who confirmed something that no longer counts; that is no swap."""
    found = _locked_attestation(actor, application_id, attestation_id, "again", expected_version, at)
    person = Person(found.name, found.mail, found.stated_relation, found.domain)
    made = _named(found.application, found.kind, person, at)
    note(actor, "attestation.named", made, at, again=found.pk)
    ask(actor, made, at)
    return made


# --- Shared ----------------------------------------------------------------------------------------------------------


def _locked(actor: Actor, application_id: str, kind: str) -> Application:
    if kind not in rules.KINDS:
        raise NotFound("There is nothing here.", change="People who vouch are named on the application's page.")
    found = Application.objects.select_for_update(of=("self",)).select_related("applicant", "size__standing")
    application = found.filter(pk=application_id).first()
    if application is None or "applicant" not in _who(actor, application):
        raise NotFound("There is nothing here.", change="Your applications are listed on one page.")
    return application


def _locked_attestation(
    actor: Actor, application_id: str, attestation_id: str, command: str, expected_version: int, at: datetime
) -> Attestation:
    application = _locked(actor, application_id, rules.REFEREE)
    found = application.attestations.select_for_update().filter(pk=attestation_id).first()
    if found is None:
        raise NotFound("There is nothing here.", change="People who vouch are named on the application's page.")
    found.application = application
    if latest_of(application)[found.kind].pk != found.pk:
        raise NotNow("Another person was named since.", rule=f"attestation: {command}", change="Look again.")
    _check(decision_on(command, actor, application, found, at))
    _check_version(found.version, expected_version)
    return found


def _who(actor: Actor, application: Application) -> frozenset[str]:
    return relations(actor, str(application.applicant_id))


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)


def _check_version(version: int, expected: int) -> None:
    if version != expected:
        raise StaleVersion("This changed while the form was open.", change="Look again, then decide.")


def _check_person(application: Application, kind: str, person: Person) -> None:
    if problem := unreadable_name(person.name):
        raise InvalidInput(problem, field="name")
    try:
        validate_email(person.mail.strip())
    except ValidationError as error:
        raise InvalidInput("Write a whole mail address.", field="mail") from error
    if person.relation not in RELATIONS[kind]:
        raise InvalidInput("Choose one from the list.", field="relation")
    decision = may_name(kind, person.mail, person.domain, around(application, kind))
    if not decision:
        field = "domain" if decision.code == "no_domain" else "mail"
        raise InvalidInput(decision.reason, code=decision.code, field=field, rule=decision.rule, change=decision.change)


def _named(
    application: Application,
    kind: str,
    person: Person,
    at: datetime,
    *,
    found: Attestation | None = None,
    swap: int = 0,
) -> Attestation:
    """Write a new naming, or over the one that stands in the draft."""
    row = found
    if row is None or row.state != NAMED:
        number = application.attestations.filter(kind=kind).count() + 1
        row = Attestation(application=application, kind=kind, number=number, swap_number=swap, version=0)
    row.name, row.mail, row.mailbox = person.name.strip(), person.mail.strip(), mailbox_of(person.mail)
    row.stated_relation, row.named_at = person.relation, at
    row.domain = domain_of(person.domain) if kind == INSTITUTION else ""
    row.application = application
    row.version += 1
    row.save()
    return row


def _close(actor: Actor, found: Attestation, at: datetime) -> None:
    """Cancel what is open; what is too late already has expired, whoever writes it down."""
    command = "expire" if found.state_at(at) == EXPIRED else "cancel"
    move(found, command, at)
    note(actor, f"attestation.{found.state}", found, at)
