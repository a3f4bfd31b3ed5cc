"""Tell people in time that a material version waits for them; once signed, nothing more is sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef

from release_portal.access.agreements.rules import DAYS_BEFORE_LAPSE, SignatureFacts, Standing
from release_portal.access.agreements.signatures import signatures_of
from release_portal.access.grant_rules import GRANT
from release_portal.access.models import AgreementVersion, Grant, Signature
from release_portal.accounts.models import User
from release_portal.notices.services import notify

WHEN = "%d %B %Y, %H:%M UTC"


@transaction.atomic
def remind_of_agreements(*, at: datetime) -> int:
    """Tell holders when grace begins, 14 and 3 days before its end, and when their grants rest; each once."""
    material = AgreementVersion.objects.in_effect(at).filter(is_material=True).order_by("-number").first()
    if material is None:
        return 0
    people = _unsigned_holders(material, at)
    facts = signatures_of([person.pk for person in people], at)
    return sum(_remind(person, facts[person.pk], at) for person in people)


def _unsigned_holders(material: AgreementVersion, at: datetime) -> list[User]:
    live = GRANT.command("surrender").sources
    held = Grant.objects.filter(holder=OuterRef("pk"), state__in=live, ends_at__gt=at)
    signed = Signature.objects.standing(at).filter(account=OuterRef("pk"), agreement__number__gte=material.number)
    people = User.objects.filter(Exists(held), is_active=True).exclude(Exists(signed))
    return list(people.order_by("pk"))


def _remind(person: User, facts: SignatureFacts, at: datetime) -> bool:
    if facts.until is None or facts.standing not in (Standing.STALE, Standing.LAPSED):
        return False
    key = f"agreement:{facts.number}:{facts.until:%Y-%m-%dT%H:%M}"
    known = {"number": str(facts.number), "until": f"{facts.until:{WHEN}}"}
    path = f"/agreements/{facts.number}/"
    if facts.standing is Standing.LAPSED:
        return notify(person, "agreement_lapsed", known, at=at, path=path, dedupe_key=f"{key}:0") is not None
    near = min((days for days in DAYS_BEFORE_LAPSE if facts.until - at <= timedelta(days=days)), default=0)
    if not near:
        return notify(person, "agreement_to_sign", known, at=at, path=path, dedupe_key=f"{key}:new") is not None
    left = -((at - facts.until) // timedelta(days=1))
    known["days"] = str(left)
    return notify(person, "agreement_sign_soon", known, at=at, path=path, dedupe_key=f"{key}:{near}") is not None
