"""The only way to attestations: the applicant's own, those of an application to review, and one by its mailed link."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from release_portal.access.application_lookups import own_application
from release_portal.access.models import Attestation
from release_portal.core.actors import Actor
from release_portal.core.decisions import may_not
from release_portal.core.errors import NotFound, error_of
from release_portal.core.link_tokens import digest_of


def own_attestations(actor: Actor, application_id: str) -> QuerySet[Attestation]:
    """Return who was named for one of the actor's own applications, in order; without what they wrote to reviewers."""
    application = own_application(actor, application_id)
    found = application.attestations.select_related("link_mail", *_APPLICATION)
    return found.defer("words").prefetch_related("application__attestations").order_by("kind", "number")


def own_attestation(actor: Actor, application_id: str, attestation_id: str) -> Attestation:
    """Return one of them."""
    found = own_attestations(actor, application_id).filter(pk=attestation_id).first()
    if found is None:
        raise NotFound("There is nothing here.", change="People who vouch are named on the application's page.")
    return found


def attestation_by_link(actor: Actor, token: str, at: datetime, *, is_locked: bool = False) -> Attestation:
    """Return the request to which a link belongs; a link that is wrong, used, expired or cancelled has one answer.

    Args:
        actor: who holds the link; the applicant never answers for somebody else.
        token: what stands in the link.
        at: the time of asking.
        is_locked: whether the caller changes it.
    """
    found = Attestation.objects.select_for_update(of=("self",)) if is_locked else Attestation.objects.all()
    request = found.answerable(at).filter(link_digest=digest_of(token)).select_related(*_APPLICATION).first()
    if request is None:
        raise NotFound(
            "This link does not open anything.",
            change="It works once, for 21 days, and only as long as the request stands. A newer mail has a newer link.",
        )
    if actor.is_person and actor.account_id == request.application.applicant_id:
        reason = "You are signed in as the person who applies."
        change = "The link belongs to the person to whom it was mailed."
        raise error_of(may_not("own_request", reason, "attestation: answer", change))
    return request


_APPLICATION = ("application__applicant", "application__size__standing", "application__size__family")
