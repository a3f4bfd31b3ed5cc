"""The way to drafts and to versions that have not taken effect: for those who write and approve them."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from release_portal.access.agreements.rules import EDITORS, SignatureFacts, Standing
from release_portal.access.agreements.signatures import signature_of
from release_portal.access.grant_rules import GRANT
from release_portal.access.models import AgreementDraft, AgreementVersion, Grant
from release_portal.core.actors import Actor
from release_portal.core.errors import NotFound


def drafts_for(actor: Actor) -> QuerySet[AgreementDraft]:
    """Return every draft, for those who may write one."""
    return AgreementDraft.objects.select_related("agreement") if _may(actor) else AgreementDraft.objects.none()


def draft_for(actor: Actor, draft_id: int) -> AgreementDraft:
    """Return one draft, for those who may write one."""
    draft = drafts_for(actor).filter(pk=draft_id).first()
    if draft is None:
        raise NotFound("There is nothing here.", change="Drafts are listed on the page of the agreements.")
    return draft


def versions_for(actor: Actor, *, at: datetime) -> QuerySet[AgreementVersion]:
    """Return every version that the actor may read: to the public those that are or were in force."""
    return AgreementVersion.objects.all() if _may(actor) else AgreementVersion.objects.in_effect(at)


def version_for(actor: Actor, number: int, *, at: datetime) -> AgreementVersion:
    """Return one version that the actor may read."""
    version = versions_for(actor, at=at).filter(number=number).first()
    if version is None:
        raise NotFound("There is no such version of the agreement.", change="The versions are listed on one page.")
    return version


def version_in_force(at: datetime) -> AgreementVersion | None:
    """Return the version that is in force; None before the first is published."""
    return AgreementVersion.objects.in_force(at)


def published_versions(at: datetime) -> QuerySet[AgreementVersion]:
    """Return every version that is or was in force, newest first, without its text."""
    return AgreementVersion.objects.in_effect(at).defer("text")


def signature_to_renew(actor: Actor, *, at: datetime) -> SignatureFacts | None:
    """Return how the signature of somebody stands whose running grants wait for a new one; None for everybody else."""
    live = GRANT.command("surrender").sources
    if not actor.is_person or not Grant.objects.held_by(actor.id).filter(state__in=live, ends_at__gt=at).exists():
        return None
    facts = signature_of(actor.account_id, at)
    return facts if facts.standing in (Standing.STALE, Standing.LAPSED) else None


def _may(actor: Actor) -> bool:
    return actor.is_person and actor.scopes is None and actor.has_role(*EDITORS)
