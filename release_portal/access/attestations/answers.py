"""What the holder of a mailed link does: say who they are, confirm, decline, or say that it is not them."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.application_names import path_of, review_path_of
from release_portal.access.application_rules import REVIEWERS
from release_portal.access.attestations import statements
from release_portal.access.attestations.facts import asked_of, digest_now, mailboxes_of
from release_portal.access.attestations.lookups import attestation_by_link
from release_portal.access.attestations.rules import ATTESTATION, LABELS, LIFE
from release_portal.access.attestations.statements import Reply
from release_portal.access.attestations.writing import move, note
from release_portal.access.models import Attestation
from release_portal.accounts.models import User
from release_portal.core.actors import Actor
from release_portal.core.errors import Incomplete, InvalidInput, StaleVersion, error_of
from release_portal.notices.services import notify, notify_each


@transaction.atomic
def open_attestation(actor: Actor, token: str, *, at: datetime) -> Attestation:
    """Say "this is me"; only this opens the questions, so that a program that follows links uses nothing up."""
    found = _held(actor, token, "open", at)
    found.opened_at = at
    move(found, "open", at)
    note(actor, "attestation.opened", found, at)
    return found


@transaction.atomic
def confirm_attestation(actor: Actor, token: str, reply: Reply, *, seen: str, at: datetime) -> Attestation:
    """Confirm every sentence; what was confirmed is kept word for word, for 12 months.

    Args:
        actor: whoever holds the link.
        token: what stands in the link.
        reply: relation, year, ticked sentences and words.
        seen: digest of the text that the page showed.
        at: the time of the answer.

    Raises:
        Incomplete: something is missing, named field by field; the link still works.
        StaleVersion: the application changed while the page was open.
    """
    found = _held(actor, token, "confirm", at)
    problems = statements.reply_problems(found.kind, asked_of(found), reply, at)
    if problems:
        raise Incomplete("Something is still missing.", problems, rule="attestation: confirm", change="Fill it in.")
    if seen != digest_now(found):
        raise StaleVersion("What you are asked changed while the page was open.", change="Read it again, then answer.")
    found.statement = statements.statement(found.kind, asked_of(found))
    found.statement_digest, found.valid_until = seen, at + LIFE
    found.relation, found.since, found.words = reply.relation, int(reply.since), reply.words.strip()
    _end(actor, found, "confirm", at)
    return found


@transaction.atomic
def decline_attestation(actor: Actor, token: str, *, words: str = "", at: datetime) -> Attestation:
    """Decline, with or without words to the reviewers."""
    found = _held(actor, token, "decline", at)
    if problem := statements.words_problem(words):
        raise InvalidInput(problem, field="words")
    found.words = words.strip()
    _end(actor, found, "decline", at)
    return found


@transaction.atomic
def dispute_attestation(actor: Actor, token: str, *, at: datetime) -> Attestation:
    """Say "this is not me": reviewers are told to check, and nothing is decided."""
    found = _held(actor, token, "dispute", at)
    _end(actor, found, "dispute", at)
    facts = {**_names(found), "applicant": found.application.applicant.name}
    notify_each(_reviewers(found), "attestation_disputed", facts, at=at, path=review_path_of(found.application))
    return found


def _held(actor: Actor, token: str, command: str, at: datetime) -> Attestation:
    found = attestation_by_link(actor, token, at, is_locked=True)
    decision = ATTESTATION.decide(command, found.state_at(at), {"link_holder"})
    if not decision:
        raise error_of(decision)
    return found


def _end(actor: Actor, found: Attestation, command: str, at: datetime) -> None:
    move(found, command, at)
    event, answer = _ANSWERS[found.state]
    note(actor, event, found, at)
    facts = {**_names(found), "answer": answer}
    notify(found.application.applicant, "attestation_answered", facts, at=at, path=path_of(found.application))


_ANSWERS = {
    "confirmed": ("attestation.confirmed", "has confirmed"),
    "declined": ("attestation.declined", "has declined"),
    "disputed": ("attestation.disputed", "says that the request is not theirs"),
}


def _names(found: Attestation) -> dict[str, str]:
    application = found.application
    named = {"application": application.pk, "size": application.size.name}
    return {**named, "attester": found.name, "role": LABELS[found.kind]}


def _reviewers(found: Attestation) -> list[User]:
    """Those who may review, but neither the applicant nor whoever was named."""
    holders = User.objects.filter(role_assignments__role__in=REVIEWERS, is_active=True).distinct().order_by("pk")
    others = holders.exclude(pk=found.application.applicant_id)
    return [one for one in others if found.mailbox not in mailboxes_of([one.pk])]
