"""Join: the invited person, with an account and a verified address, signs the agreement in force."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction

from release_portal.access.agreements.services import agreement_in_force, check_same_text, sign_agreement
from release_portal.access.application_rules import end_of
from release_portal.access.models import AgreementVersion, Seat, Signature
from release_portal.access.people import seat_rules
from release_portal.access.people.ends import tell_lead
from release_portal.access.people.lookups import seat_by_link
from release_portal.access.people.records import check, move, record_seat
from release_portal.access.people.teams import is_free, team_of
from release_portal.accounts.mail import has_confirmed_mail, has_mail
from release_portal.accounts.models import User
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotNow
from release_portal.epochs.services import seat_key, start_epoch


def decide_joining(actor: Actor, seat: Seat, at: datetime) -> Decision:
    """Return whether the actor may take the seat to which they were invited; the page asks the same as the service."""
    team, signed_in = team_of(seat), is_free(actor)
    others = team.rows().of_person(actor.id if signed_in else "")
    answers = (
        seat_rules.decide_invitee(
            is_signed_in=signed_in,
            is_mail=signed_in and has_mail(actor, seat.mail),
            is_verified=signed_in and has_confirmed_mail(actor, seat.mail),
        ),
        seat_rules.SEAT.decide("join", seat.state_at(at), {"invitee"}),
        seat_rules.decide_open(is_open=team.is_open(at)),
        seat_rules.decide_second_seat(
            has_seat=others.filter(state__in=sorted(seat_rules.SEATED)).exclude(pk=seat.pk).exists(),
            is_holder=signed_in and actor.account_id == team.owner_id,
            is_suspended=others.filter(suspensions__isnull=False, suspensions__ended_at=None).exists(),
        ),
    )
    return next((one for one in answers if not one.allowed), answers[-1])


@transaction.atomic
def join_by_link(actor: Actor, token: str, *, agreement_hash: str, affiliation: str, at: datetime) -> Seat:
    """Take the seat: the link is used up, and the signature is the member's own.

    Args:
        actor: the invited person.
        token: from the mailed link.
        agreement_hash: hash of the text that was shown and accepted; empty when it was not accepted.
        affiliation: where the member works, so that nobody of the same lab decides.
        at: the time of joining.

    Raises:
        NotFound: the link opens nothing.
        NotAllowed: another person's invitation, or an address that is not verified.
        NotNow: it is over, the person has a seat, or the agreement changed while the form was open.
        InvalidInput: the agreement is not accepted, or the affiliation is missing.
    """
    seat = seat_by_link(token, at, is_locked=True)
    check(decide_joining(actor, seat, at))
    place, agreement = _read_affiliation(affiliation), agreement_in_force(at)
    _check_accepted(agreement, agreement_hash)
    person = User.objects.get(pk=actor.account_id)
    signature = sign_agreement(actor, person, agreement, at=at)
    return _sit(actor, seat, person, signature, place, at)


def _sit(actor: Actor, seat: Seat, person: User, signature: Signature, affiliation: str, at: datetime) -> Seat:
    seat.person, seat.signature, seat.affiliation, seat.joined_at = person, signature, affiliation, at
    seat.ends_at = end_of(seat.until) if seat.until else None
    try:
        with transaction.atomic():
            move(seat, "join")
    except IntegrityError as error:  # the same person by another invitation, at the same moment
        decision = seat_rules.decide_second_seat(has_seat=True, is_holder=False, is_suspended=False)
        raise NotNow(decision.reason, code=decision.code, rule=decision.rule, change=decision.change) from error
    start_epoch(seat_key(seat.pk))
    record_seat("seat.joined", actor, seat, at, agreement=signature.sha256)
    tell_lead("seat_joined", seat, at)
    return seat


def _read_affiliation(text: str) -> str:
    longest = seat_rules.LONGEST_AFFILIATION
    if not text.strip() or "\x00" in text or len(text) > longest:
        change = f"Write 1 to {longest} characters."
        raise InvalidInput("Say where you work, or that you work alone.", field="affiliation", change=change)
    return text.strip()


def _check_accepted(agreement: AgreementVersion, accepted: str) -> None:
    if not accepted:
        raise InvalidInput("Read the agreement and accept it; nobody can sign for you.", field="agreement")
    check_same_text(agreement, accepted, rule="seat: join")
