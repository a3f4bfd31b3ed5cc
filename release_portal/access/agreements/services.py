"""Settle versions of the agreement, sign one, take a signature back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from django.db import transaction

from release_portal.access.grant_rules import GRANT
from release_portal.access.models import AgreementVersion, Grant, Signature
from release_portal.access.models.agreements import text_hash
from release_portal.access.services import surrender_grant
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import InvalidInput, NotAllowed, NotFound, NotNow

FIRST_TEXT = Path(__file__).with_name("research-access-1.md")
LONGEST, LONGEST_REASON = 100_000, 5_000


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
    version = AgreementVersion.objects.in_effect(at).filter(number=number).first()
    if version is None:
        raise NotFound("There is no such version of the agreement.", change="The versions are listed on one page.")
    return version


def agreement_before(version: AgreementVersion) -> AgreementVersion | None:
    """Return the version that this one replaced, if there was one."""
    return AgreementVersion.objects.standing().filter(number__lt=version.number).first()


def agreement_hashed(sha256: str) -> AgreementVersion | None:
    """Return the version whose text has this hash."""
    return AgreementVersion.objects.filter(sha256=sha256).first()


# --- Settle ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def publish_agreement(actor: Actor, text: str, *, effective_from: datetime, at: datetime) -> AgreementVersion:
    """Publish the first version when a portal is set up; people settle later ones by two.

    Raises:
        NotAllowed: a person asks.
        NotNow: a version is there already.
        InvalidInput: the text is empty or too long, or it would apply to the past.
    """
    if not actor.is_system:
        raise NotAllowed(
            "Versions of the agreement are written by one person and approved by another.",
            rule="agreement: schedule",
            change="Write a draft on the page of the agreements.",
        )
    if AgreementVersion.objects.exists():
        raise NotNow(
            "An agreement is published already.",
            code="published",
            rule="agreement: schedule",
            change="An access lead writes the next version, and another person approves it.",
        )
    text = clean_text(text)
    check_day(effective_from, at)
    return settle(actor, text, effective_from=effective_from, is_material=True, reason="first version", at=at)


def settle(
    actor: Actor,
    text: str,
    *,
    effective_from: datetime,
    is_material: bool,
    reason: str,
    at: datetime,
    drafted_by: tuple[str, str] = ("", ""),
) -> AgreementVersion:
    """Write a version with its number; the caller has checked it and whoever asks.

    Args:
        drafted_by: id and name of who wrote it last, where that was a person.
    """
    newest = AgreementVersion.objects.select_for_update().order_by("-number").first()
    version = AgreementVersion.objects.create(
        number=newest.number + 1 if newest else 1,
        text=text,
        sha256=text_hash(text),
        effective_from=effective_from,
        is_material=is_material,
        reason=reason,
        drafted_by_id=drafted_by[0],
        drafted_by=drafted_by[1],
        published_by_id=actor.id,
        published_by=actor.name,
        published_at=at,
    )
    data = {"number": version.number, "sha256": version.sha256, "effective_from": effective_from.isoformat()}
    data["material"] = is_material
    record("agreement.published", actor=actor, subject=version_subject(version), at=at, reason=reason, data=data)
    return version


def version_subject(version: AgreementVersion) -> str:
    """Return how the audit log names a version."""
    return f"agreement:{version.number}"


def clean_text(text: str) -> str:
    """Return the text as it is hashed; raises InvalidInput when it is empty, too long, or published already."""
    text = text.replace("\r\n", "\n").strip() + "\n"
    if not text.strip() or len(text) > LONGEST or "\x00" in text:
        raise InvalidInput(f"The text must have 1 to {LONGEST:,} characters.", field="wording")
    if AgreementVersion.objects.filter(sha256=text_hash(text)).exists():
        raise InvalidInput("This very text is published already.", field="wording", change="Change something.")
    return text


def check_day(effective_from: datetime, at: datetime) -> None:
    """Refuse a day in the past, or one before that of an earlier version."""
    if effective_from < at:
        change = "Choose now or a later time."
        raise InvalidInput("A version cannot have applied in the past.", field="effective_from", change=change)
    latest = AgreementVersion.objects.standing().order_by("-effective_from").first()
    if latest is not None and effective_from < latest.effective_from:
        reason = f"Version {latest.number} takes effect later, on {latest.effective_from:%d %B %Y, %H:%M UTC}."
        raise InvalidInput(reason, field="effective_from", change="Choose that time or a later one.")


# --- Sign ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def sign_agreement(actor: Actor, account: User, version: AgreementVersion, *, at: datetime) -> Signature:
    """Write down that a person accepted this text; accepting it again changes nothing."""
    signature, is_new = Signature.objects.get_or_create(
        account=account, agreement=version, withdrawn_at=None, defaults={"sha256": version.sha256, "at": at}
    )
    if is_new:
        data = {"number": version.number, "sha256": version.sha256}
        record("agreement.signed", actor=actor, subject=f"account:{account.pk}", at=at, data=data)
    return signature


def check_same_text(version: AgreementVersion, accepted: str, *, rule: str, more: str = "") -> None:
    """Refuse an acceptance of another text than the one in force.

    Args:
        version: the version in force.
        accepted: hash of the text that was shown and accepted.
        rule: the rule of whoever asks.
        more: what becomes of the rest of the form.
    """
    if accepted != version.sha256:
        raise NotNow(
            f"The agreement changed while this form was open: version {version.number} is in force now.",
            code="agreement_changed",
            field="agreement",
            rule=rule,
            change=f"Read what changed, then accept it again. {more}".strip(),
        )


@transaction.atomic
def accept_in_force(actor: Actor, sha256: str, *, at: datetime) -> Signature:
    """Sign the version in force for oneself; grants that rested for want of it work again at once.

    Args:
        sha256: hash of the text that was shown.

    Raises:
        NotNow: another version is in force than the one that was shown.
    """
    _check_person(actor, "sign")
    version = agreement_in_force(at)
    if not sha256:
        raise InvalidInput("Read the agreement and accept it.", field="agreement")
    check_same_text(version, sha256, rule="agreement: sign")
    return sign_agreement(actor, User.objects.get(pk=actor.account_id), version, at=at)


@transaction.atomic
def withdraw_signature(actor: Actor, *, reason: str, at: datetime) -> int:
    """Take one's consent back: every signature of one's own ends, and with it every grant that one holds.

    Raises:
        NotNow: there is no signature to take back.
    """
    _check_person(actor, "withdraw")
    if actor.scopes is not None:
        raise NotAllowed("A token does not take a signature back.", rule="agreement: withdraw", change="Sign in.")
    standing = Signature.objects.select_for_update().filter(account_id=actor.account_id, withdrawn_at=None)
    numbers = list(standing.values_list("agreement__number", flat=True).order_by("agreement__number"))
    if not numbers:
        change = "Nothing is left to do."
        raise NotNow("You have signed nothing.", code="not_signed", rule="agreement: withdraw", change=change)
    standing.update(withdrawn_at=at, withdrawn_reason=reason.strip()[:LONGEST_REASON])
    subject, why = f"account:{actor.id}", reason.strip()
    record("agreement.withdrawn", actor=actor, subject=subject, at=at, reason=why, data={"numbers": numbers})
    return _give_up_grants(actor, at)


def _give_up_grants(actor: Actor, at: datetime) -> int:
    live = GRANT.command("surrender").sources
    held = list(Grant.objects.select_for_update().held_by(actor.id).filter(state__in=live, ends_at__gt=at))
    for grant in held:
        reason = "consent to the agreement withdrawn"
        surrender_grant(actor, grant.pk, reason=reason, expected_version=grant.version, at=at)
    return len(held)


def _check_person(actor: Actor, name: str) -> None:
    if not actor.is_person:
        raise NotAllowed("People sign for themselves.", rule=f"agreement: {name}", change="Sign in.")
