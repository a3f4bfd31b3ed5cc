"""Offer extra terms: with an approval, or later for a grant that runs; nothing of them counts before it is accepted."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.conditions import Conditions
from release_portal.access.extra_terms import OFFER_LASTS, Term, both_sets, digest_of, term_problems, written
from release_portal.access.grant_rules import GRANT
from release_portal.access.models import Application, Grant, GrantTerm, TermsOffer
from release_portal.access.models.terms import given
from release_portal.access.obligations.services import replace_duties
from release_portal.access.programmes.services import programme_facing
from release_portal.access.services import grant_subject, relations_to_duties
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotFound, NotNow, error_of
from release_portal.notices.services import notify

WHEN = "%d %B %Y, %H:%M UTC"
LONGEST_REASON = 5_000


def offer_with_approval(actor: Actor, application: Application, conditions: Conditions, *, at: datetime) -> TermsOffer:
    """Write what an approval gives once its extra terms are accepted; the caller moves the application."""
    subject = f"application:{application.pk}"
    return TermsOffer.objects.create(
        application=application,
        terms=written(conditions.terms),
        digest=digest_of(subject, conditions.terms),
        offered_by_id=actor.id,
        offered_by=actor.name,
        offered_at=at,
        **given(conditions),
    )


def terms_of(grant: Grant) -> tuple[Term, ...]:
    """Return the extra terms that were accepted for a grant, beyond those of its programme."""
    return tuple(one.read() for one in grant.terms.all() if one.offer_id)


def every_term_of(grant: Grant) -> tuple[Term, ...]:
    """Return every term of a grant: those of its programme, and those that were accepted beside it."""
    return tuple(one.read() for one in grant.terms.all())


def waiting_offer(grant: Grant) -> TermsOffer | None:
    """Return the terms that wait for the holder of a running grant, if there are any."""
    return grant.offers.filter(accepted_at=None, ended_at=None).first()


@transaction.atomic
def offer_for_grant(actor: Actor, grant_id: str, terms: tuple[Term, ...], *, reason: str, at: datetime) -> TermsOffer:
    """Ask the holder of a running grant to accept other extra terms; until then those that were accepted count.

    Args:
        terms: the whole list as it shall be; the holder sees what is new.

    Raises:
        NotNow: another offer waits already.
    """
    grant = _locked(actor, "amend", grant_id)
    for problem in term_problems(terms, at=at):
        raise InvalidInput(problem.reason, field="terms")
    if not reason.strip() or len(reason) > LONGEST_REASON or "\x00" in reason:
        raise InvalidInput("Say to the holder why.", field="reason")
    if sorted(terms) == sorted(terms_of(grant)):
        raise InvalidInput("These terms are accepted already.", field="terms", change="Change something.")
    if waiting_offer(grant) is not None:
        change = "The holder answers it first, or it lapses after 30 days."
        raise NotNow("Other terms wait for the holder.", code="offer_waits", rule="grant: amend", change=change)
    offer = TermsOffer.objects.create(
        grant=grant, terms=written(terms), digest=digest_of(f"grant:{grant.pk}", terms), reason=reason.strip(),
        offered_by_id=actor.id, offered_by=actor.name, offered_at=at,
    )  # fmt: skip
    data = {"offer": offer.pk, "digest": offer.digest}
    record("grant.terms_offered", actor=actor, subject=grant_subject(grant), at=at, reason=offer.reason, data=data)
    facts = {"grant": grant.pk, "reason": offer.reason, "until": f"{at + OFFER_LASTS:{WHEN}}"}
    notify(grant.holder, "grant_terms_offered", facts, at=at, path=f"/grants/{grant.pk}/")
    return offer


@transaction.atomic
def answer_offer(actor: Actor, grant_id: str, digest: str, *, is_accepted: bool, at: datetime) -> TermsOffer:
    """The holder accepts or declines terms that wait; declining leaves everything as it was.

    Raises:
        NotFound: no terms wait.
        NotNow: the terms that wait are not those that were shown.
    """
    grant = _locked(actor, "answer_terms", grant_id)
    offer = TermsOffer.objects.select_for_update().waiting().filter(grant=grant).first()
    if offer is None or at >= offer.offered_at + OFFER_LASTS:
        raise NotFound("No terms wait for you.", change="The terms of a grant stand on its page.")
    check_digest(offer, digest)
    if not is_accepted:
        end_offer(offer, "declined by the holder", at=at)
        record("grant.terms_declined", actor=actor, subject=grant_subject(grant), at=at, data={"offer": offer.pk})
        return offer
    accept(actor, offer, grant, at=at)
    return offer


def check_digest(offer: TermsOffer, digest: str) -> None:
    """Refuse an acceptance of another text than the one that waits."""
    if not digest:
        raise InvalidInput("Read the terms and accept them.", field="terms")
    if digest != offer.digest or not offer.is_intact:
        change = "Read them again, then decide."
        raise NotNow("The terms are not those that you were shown.", code="terms_changed", field="terms", change=change)


def accept(
    actor: Actor, offer: TermsOffer, grant: Grant, *, at: datetime, application: Application | None = None
) -> None:
    """Make accepted terms those of the grant, with the duties that they bring; the caller has checked everything."""
    offer.accepted_at = at
    offer.save(update_fields=["accepted_at"])
    bind_terms(grant, offer, at=at, application=application)
    data = {"offer": offer.pk, "digest": offer.digest, "terms": ", ".join(one.code for one in offer.read())}
    record("grant.terms_accepted", actor=actor, subject=grant_subject(grant), at=at, data=data)


def bind_terms(grant: Grant, offer: TermsOffer | None, *, at: datetime, application: Application | None = None) -> None:
    """Write what the programme binds every holder to, and what was accepted beside it; of two values the stricter one.

    Duties of terms that are gone and of which nothing was handed in go with them.

    Args:
        application: the one that the grant is being made from; else the last that led to it.
    """
    source = application or grant.applications.order_by("-decided_at").first()
    bound = programme_facing(source).modifiers if source else ()
    extra = offer.read() if offer else ()
    codes = {one.code for one in extra}
    terms = both_sets([Term(one.code, one.value) for one in bound], extra)
    grant.terms.all().delete()
    GrantTerm.objects.bulk_create(
        [GrantTerm(grant=grant, code=o.code, value=o.value, offer=offer if o.code in codes else None) for o in terms]
    )
    replace_duties(grant, terms, at=at)


def end_offer(offer: TermsOffer, reason: str, *, at: datetime) -> None:
    """End an offer that was not accepted."""
    offer.ended_at, offer.end_reason = at, reason
    offer.save(update_fields=["ended_at", "end_reason"])


@transaction.atomic
def lapse_offers(actor: Actor, *, at: datetime) -> int:
    """End offers for running grants that nobody answered; what was accepted before goes on."""
    late = TermsOffer.objects.select_for_update().waiting().filter(grant__isnull=False)
    late = late.filter(offered_at__lte=at - OFFER_LASTS)
    for offer in late:
        end_offer(offer, "not answered within 30 days", at=at)
        assert offer.grant is not None
        record("grant.terms_lapsed", actor=actor, subject=grant_subject(offer.grant), at=at, data={"offer": offer.pk})
    return len(late)


def kept_at_renewal(grant: Grant | None, terms: tuple[Term, ...]) -> tuple[Term, ...]:
    """Return the terms of a renewal: those that were accepted go on beside new ones."""
    return both_sets(terms_of(grant), terms) if grant is not None else terms


def _locked(actor: Actor, name: str, grant_id: str) -> Grant:
    grant = Grant.objects.select_for_update().get(pk=grant_id)
    decision = GRANT.decide(name, grant.state, relations_to_duties(actor, grant))
    if not decision:
        raise error_of(decision)
    return grant
