"""What time does to attestations, signed by the system: remind, expire, end with the application, forget."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import Q

from release_portal.access.application_names import path_of
from release_portal.access.application_rules import OPEN, STATES
from release_portal.access.attestations import rules
from release_portal.access.attestations.links import mail_link
from release_portal.access.attestations.rules import ATTESTATION, KEPT, LABELS, LIVE
from release_portal.access.attestations.writing import move, note
from release_portal.access.models import Attestation
from release_portal.access.models.attestations import AttestationQuerySet
from release_portal.core.actors import Actor
from release_portal.core.errors import error_of
from release_portal.notices.services import notify

ENDED = [state for state in STATES if state not in OPEN]
_RELATED = ("application__applicant", "application__size")


def _locked() -> AttestationQuerySet:
    return Attestation.objects.select_for_update(of=("self",)).select_related(*_RELATED)


def _check(name: str, actor: Actor, found: Attestation) -> None:
    decision = ATTESTATION.decide(name, found.state, {"system"} if actor.is_system else ())
    if not decision:
        raise error_of(decision)


@transaction.atomic
def remind_attesters(actor: Actor, *, at: datetime) -> int:
    """Mail those who have not answered after 7 and 14 days, each once; the new link replaces the old one."""
    count = 0
    for found in _locked().answerable(at).filter(asked_at__lte=at - min(rules.REMINDERS)):
        assert found.asked_at is not None
        days = rules.reminder_due(found.asked_at, found.reminded, at)
        if not days:
            continue
        _check("remind", actor, found)
        found.reminded = days
        mail_link(found, "attestation_reminder", at=at)
        move(found, "remind", at)
        note(actor, "attestation.reminded", found, at, days=str(days))
        count += 1
    return count


@transaction.atomic
def expire_attestations(actor: Actor, *, at: datetime) -> int:
    """Write down requests that nobody answered in time, and tell the applicant; no answer is never a yes."""
    late = list(_locked().filter(state__in=sorted(LIVE), expires_at__lte=at, application__state__in=sorted(OPEN)))
    for found in late:
        _check("expire", actor, found)
        move(found, "expire", at)
        note(actor, "attestation.expired", found, at)
        _tell_expired(found, at)
    return len(late)


def _tell_expired(found: Attestation, at: datetime) -> None:
    application = found.application
    swaps = max(one.swap_number for one in application.attestations.filter(kind=found.kind))
    facts = {
        "application": application.pk,
        "size": application.size.name,
        "attester": found.name,
        "role": LABELS[found.kind],
        "left": str(rules.MOST_SWAPS - swaps),
    }
    key = f"attestation:{found.pk}:expired"
    notify(application.applicant, "attestation_expired", facts, at=at, path=path_of(application), dedupe_key=key)


@transaction.atomic
def end_attestations(actor: Actor, *, at: datetime) -> int:
    """Cancel what is still asked for applications that ended; their links are dead already."""
    left = list(_locked().unended().filter(application__state__in=ENDED))
    for found in left:
        _check("end", actor, found)
        found.ended_with_application = True
        move(found, "end", at)
        note(actor, "attestation.cancelled", found, at)
    return len(left)


@transaction.atomic
def forget_attestations(actor: Actor, *, at: datetime) -> int:
    """Delete name, address and words a year after the application ended and the confirmation ran out."""
    old = Q(application__decided_at__lte=at - KEPT) | Q(application__decided_at=None, ended_at__lte=at - KEPT)
    over = Q(valid_until=None) | Q(valid_until__lte=at - KEPT)
    found = list(_locked().exclude(ended_at=None).filter(old, over, forgotten_at=None, application__state__in=ENDED))
    for one in found:
        _check("forget", actor, one)
        one.name = one.mail = one.mailbox = one.words = one.statement = one.relation = one.stated_relation = ""
        one.domain, one.since, one.link_mail, one.forgotten_at = "", None, None, at
        move(one, "forget", at)
        note(actor, "attestation.forgotten", one, at)
    return len(found)
