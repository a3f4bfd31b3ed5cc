"""How people's signatures stand: facts for the policy, the pages and the reminders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime

from django.db.models import Exists, Max, OuterRef, Q

from release_portal.access.agreements.rules import GRACE, SignatureFacts, VersionFacts, signature_at
from release_portal.access.models import AgreementVersion, Signature


def versions_in_effect(at: datetime) -> list[VersionFacts]:
    """Return every version whose day was reached, superseded ones included; the texts are not read."""
    rows = AgreementVersion.objects.in_effect(at).order_by("number")
    return [VersionFacts(*row) for row in rows.values_list("number", "effective_from", "is_material")]


def signatures_of(accounts: Collection[int], at: datetime) -> dict[int, SignatureFacts]:
    """Return how each person's signature stands, in two queries however many people there are."""
    versions = versions_in_effect(at)
    signed: dict[int, set[int]] = defaultdict(set)
    if versions:
        found = Signature.objects.standing(at).filter(account_id__in=accounts)
        for account, number in found.values_list("account_id", "agreement__number").order_by():
            signed[account].add(number)
    return {account: signature_at(versions, signed[account], at) for account in accounts}


def lapsed(at: datetime, person: str) -> Q:
    """Return the condition under which the person whom a row names has let their signature lapse.

    As `signature_at`: some material version came more than the grace ago, and neither it nor a later one is signed.

    Args:
        at: the time.
        person: the column that names them.
    """
    missed = AgreementVersion.objects.in_effect(at - GRACE).filter(is_material=True)
    number = missed.aggregate(newest=Max("number"))["newest"]
    if number is None:
        return Q(pk__in=())
    signed = Signature.objects.standing(at).filter(account=OuterRef(person), agreement__number__gte=number)
    return ~Q(Exists(signed))


def signature_of(account_id: int, at: datetime) -> SignatureFacts:
    """Return how one person's signature stands; nobody who is no person has anything to sign."""
    return signatures_of([account_id], at)[account_id] if account_id else signature_at([], (), at)
