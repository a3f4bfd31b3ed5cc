"""What the rules of attestations need to know, read from the database."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from allauth.account.models import EmailAddress
from django.db.models import Q, QuerySet

from release_portal.access.application_rules import DRAFT, OPEN
from release_portal.access.attestations import statements
from release_portal.access.attestations.people_rules import Around, mailbox_of, may_name
from release_portal.access.attestations.rules import (
    CONFIRMED,
    DECLINED,
    DISPUTED,
    LIVE,
    PENDING,
    TIED,
    Need,
    Voucher,
    needed,
)
from release_portal.access.attestations.signals import Facts, Signal, signals
from release_portal.access.attestations.statements import Asked
from release_portal.access.models import Application, Attestation
from release_portal.access.purposes import PURPOSES
from release_portal.accounts.models import User
from release_portal.core.decisions import Decision
from release_portal.notices.retry_rules import FAILED


def needs_of(application: Application, tier: int) -> tuple[Need, ...]:
    """Return who must vouch for an application that is reviewed at this tier."""
    return needed(application.size.standing.stage, application.answers(), tier)


def latest_of(application: Application) -> dict[str, Attestation]:
    """Return the latest attestation of each kind; `attestations` may be read ahead."""
    return {one.kind: one for one in application.attestations.all()}


def asked_of(attestation: Attestation) -> Asked:
    """Return what the application says now, as far as this person vouches for it."""
    application = attestation.application
    return Asked(
        applicant=application.applicant.name,
        size=application.size.name,
        affiliation=application.affiliation,
        purpose_label=PURPOSES.get(application.purpose_code, ""),
        purpose=application.purpose,
        intended_use=application.intended_use,
        functions=tuple(application.functions),
        domain=attestation.domain,
    )


def digest_now(attestation: Attestation) -> str:
    """Return the digest of what somebody who confirms now would confirm."""
    return statements.digest_of(statements.statement(attestation.kind, asked_of(attestation)))


def voucher_of(attestation: Attestation, at: datetime) -> Voucher:
    """Return what is known of an attestation at that time."""
    return Voucher(
        kind=attestation.kind,
        state=attestation.state_at(at),
        is_current=attestation.state == CONFIRMED and attestation.statement_digest == digest_now(attestation),
        valid_until=attestation.valid_until,
        expires_at=attestation.expires_at,
        is_on_team=attestation.mailbox in team_mailboxes(attestation.application),
    )


def vouchers_of(application: Application, at: datetime) -> list[Voucher]:
    """Return the latest attestation of each kind as the rules read it."""
    return [voucher_of(_with(application, one), at) for one in latest_of(application).values()]


def _with(application: Application, attestation: Attestation) -> Attestation:
    attestation.application = application  # read already, with its size and applicant
    return attestation


def signals_on(attestation: Attestation) -> tuple[Signal, ...]:
    """Return what reviewers should look at."""
    sent = attestation.link_mail
    facts = Facts(
        kind=attestation.kind,
        state=attestation.state,
        mail=attestation.mail,
        applicant_mail=attestation.application.applicant.email,
        said_by_applicant=attestation.stated_relation,
        said_by_attester=attestation.relation,
        is_current=attestation.state != CONFIRMED or attestation.statement_digest == digest_now(attestation),
        is_reused=attestation.reuses_id is not None,
        is_undelivered=sent is not None and sent.state == FAILED,
    )
    return signals(facts)


# --- Who is who ------------------------------------------------------------------------------------------------------


def mailboxes_of(user_ids: Iterable[int]) -> frozenset[str]:
    """Return every mailbox of some accounts, in one spelling; one that is not verified ties them all the same."""
    ids = list(user_ids)
    main = User.objects.filter(pk__in=ids).values_list("email", flat=True)
    more = EmailAddress.objects.filter(user_id__in=ids).values_list("email", flat=True)
    return frozenset(mailbox_of(address) for address in main.union(more)) - {""}


def team_mailboxes(application: Application) -> frozenset[str]:
    """Return the mailboxes of everybody who is or was on the team of an application, or of the grant that it renews."""
    seats = [*application.seats.all(), *(application.renews.seats.all() if application.renews else ())]
    own = {mailbox_of(seat.mail) for seat in seats} | {mailbox_of(seat.person.email) for seat in seats if seat.person}
    return frozenset(own) - {""}


def is_attester(application: Application, mailboxes: frozenset[str]) -> bool:
    """Return whether somebody with these mailboxes vouches for an application, or is asked to."""
    return any(one.mailbox in mailboxes for one in application.attestations.all() if one.state in TIED)


def around(application: Application, kind: str) -> Around:
    """Return whom an application is tied to, for naming somebody of this kind."""
    rows = list(application.attestations.all())
    current = {one.kind: one for one in rows}
    others = {one.mailbox for other, one in current.items() if other != kind and one.state in PENDING | {CONFIRMED}}
    said_no = {one.mailbox for one in rows if one.state in (DECLINED, DISPUTED)}
    own = mailboxes_of([application.applicant_id])
    return Around(
        applicant=own,
        team=team_mailboxes(application),
        others=frozenset(others) - {""},
        said_no=frozenset(said_no) - {""},
        asks_the_applicant=_asks(own),
    )


def may_ask(attestation: Attestation) -> Decision:
    """Decide whether somebody who was named may be asked now: a draft bound nobody when they were named."""
    own = mailboxes_of([attestation.application.applicant_id])
    ties = Around(frozenset(), asks_the_applicant=_asks(own))
    return may_name(attestation.kind, attestation.mail, attestation.domain, ties)


def _asks(own: frozenset[str]) -> frozenset[str]:
    """Return the mailboxes of people who named the applicant for an open application that was sent."""
    naming = Attestation.objects.filter(
        mailbox__in=own, state__in=sorted(LIVE | {CONFIRMED}), application__state__in=sorted(OPEN - {DRAFT})
    )
    return mailboxes_of(naming.values_list("application__applicant_id", flat=True))


def reusable(application: Application, kind: str, at: datetime) -> Attestation | None:
    """Return a confirmation of the renewed grant's application that lives and confirmed just what is said now."""
    if application.renews_id is None:
        return None
    for one in _earlier(application, kind, at):
        held, one.application = one.application, application
        is_same = one.statement_digest == digest_now(one)
        one.application = held
        if is_same:
            return one
    return None


def _earlier(application: Application, kind: str, at: datetime) -> QuerySet[Attestation]:
    same = Q(application__grant_id=application.renews_id)
    found = Attestation.objects.living(at).filter(same, kind=kind, application__applicant_id=application.applicant_id)
    return found.exclude(application_id=application.pk).select_related("application").order_by("-valid_until")
