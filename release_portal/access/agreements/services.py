"""Publish versions of the agreement, and sign one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.db import transaction

from release_portal.access.models import AgreementVersion, Signature
from release_portal.access.models.agreements import text_hash
from release_portal.accounts.models import User
from release_portal.accounts.roles import Role
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow

FIRST_TEXT = Path(__file__).with_name("research-access-1.md")
PUBLISHERS = (Role.ACCESS_LEAD.value, Role.ADMINISTRATOR.value)
LONGEST = 100_000


def agreement_in_force(at: datetime) -> AgreementVersion:
    """Return the version that an application must accept now; raises NotNow when none is published."""
    version = AgreementVersion.objects.in_force(at)
    if version is None:
        raise NotNow(
            "No agreement is published yet, so there is nothing to accept.",
            code="no_agreement",
            rule="application: submit",
            change="An access lead or an administrator publishes one.",
        )
    return version


def agreement_numbered(number: int, *, at: datetime) -> AgreementVersion:
    """Return a version that is or was in force; one that is not yet in force is not shown."""
    version = AgreementVersion.objects.filter(number=number, effective_from__lte=at).first()
    if version is None:
        raise NotFound("There is no such version of the agreement.", change="Start from an application's page.")
    return version


def agreement_before(version: AgreementVersion) -> AgreementVersion | None:
    """Return the version that this one replaced, if there was one."""
    return AgreementVersion.objects.filter(number__lt=version.number).first()


def agreement_hashed(sha256: str) -> AgreementVersion | None:
    """Return the version whose text has this hash."""
    return AgreementVersion.objects.filter(sha256=sha256).first()


@transaction.atomic
def publish_agreement(actor: Actor, text: str, *, effective_from: datetime, at: datetime) -> AgreementVersion:
    """Publish a new version; earlier texts and what was signed under them stay as they are.

    Raises:
        InvalidInput: the text is empty, too long, or published already; or it would apply to the past.
    """
    _check_publisher(actor)
    text = text.replace("\r\n", "\n").strip() + "\n"
    _check_text(text, effective_from, at)
    newest = AgreementVersion.objects.select_for_update().order_by("-number").first()
    version = AgreementVersion.objects.create(
        number=newest.number + 1 if newest else 1,
        text=text,
        sha256=text_hash(text),
        effective_from=effective_from,
        published_by=actor.name,
        published_at=at,
    )
    data = {"number": version.number, "sha256": version.sha256, "effective_from": effective_from.isoformat()}
    record("agreement.published", actor=actor, subject=f"agreement:{version.number}", at=at, data=data)
    return version


def _check_publisher(actor: Actor) -> None:
    is_trusted = actor.is_system or (actor.scopes is None and actor.has_role(*PUBLISHERS))
    if not is_trusted:
        raise NotAllowed(
            "Agreements are published by access leads and administrators.",
            rule="agreement: publish",
            change="Ask an access lead.",
        )


def _check_text(text: str, effective_from: datetime, at: datetime) -> None:
    if not text.strip() or len(text) > LONGEST:
        raise InvalidInput(f"The text must have 1 to {LONGEST:,} characters.", field="text")
    if AgreementVersion.objects.filter(sha256=text_hash(text)).exists():
        raise InvalidInput("This very text is published already.", field="text", change="Change something.")
    if effective_from < at:
        change = "Choose now or a later time."
        raise InvalidInput("A version cannot have applied in the past.", field="effective_from", change=change)


@transaction.atomic
def sign_agreement(actor: Actor, account: User, version: AgreementVersion, *, at: datetime) -> Signature:
    """Write down that a person accepted this text; accepting it again changes nothing."""
    signature, is_new = Signature.objects.get_or_create(
        account=account, agreement=version, defaults={"sha256": version.sha256, "at": at}
    )
    if is_new:
        data = {"number": version.number, "sha256": version.sha256}
        record("agreement.signed", actor=actor, subject=f"account:{account.pk}", at=at, data=data)
    return signature
