"""The only way to applications: the applicant's own, or what reviewers may read of others'."""

from __future__ import annotations

from datetime import datetime

from release_portal.access.application_rules import DRAFT, REVIEWERS, WRITE_SCOPE, decide_command, may_apply
from release_portal.access.lookups import size_for
from release_portal.access.models import Application, Grant
from release_portal.access.models.applications import ApplicationQuerySet
from release_portal.access.policy import Action
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import NotFound, error_of
from release_portal.registry.models import ModelSize


def size_to_apply_for(actor: Actor, slug: str, *, at: datetime) -> ModelSize:
    """Return the size if the actor may apply for it, or raise what the decision says."""
    size = size_for(actor, slug, Action.VIEW, at=at).size
    decision = may_apply(actor, size.standing.stage)
    if not decision:
        raise error_of(decision)
    return size


def apply_decision(actor: Actor, size: ModelSize) -> Decision:
    """Return whether the actor may apply for a size that they may see."""
    return may_apply(actor, size.standing.stage)


def own_applications(actor: Actor) -> ApplicationQuerySet:
    """Return what the actor filed, newest first."""
    is_blind = actor.scopes is not None and WRITE_SCOPE not in actor.scopes
    found = _loaded().filed_by(actor.id if actor.is_person else "")
    return found.none() if is_blind else found


def own_application(actor: Actor, application_id: str) -> Application:
    """Return one of the actor's own applications."""
    return _one(own_applications(actor), application_id)


def own_draft(actor: Actor, application_id: str) -> Application:
    """Return one of the actor's own applications if it can still be changed, or raise what the lifecycle says."""
    application = own_application(actor, application_id)
    applicant, stage = str(application.applicant_id), application.size.standing.stage
    decision = decide_command("save", application.state, actor, applicant, stage)
    if not decision:
        raise error_of(decision)
    return application


def applications_to_review(actor: Actor) -> ApplicationQuerySet:
    """Return every application that was submitted, for those who may review; a draft is its writer's alone."""
    if actor.scopes is not None or not actor.has_role(*REVIEWERS):
        return Application.objects.none()
    return _loaded().sent().exclude(state=DRAFT)


def application_to_review(actor: Actor, application_id: str) -> Application:
    """Return one submitted application, for those who may review."""
    return _one(applications_to_review(actor), application_id)


def open_application(actor: Actor, size: ModelSize) -> Application | None:
    """Return the actor's open application for a size, if there is one."""
    return own_applications(actor).open().filter(size=size).first()


def last_application(actor: Actor, size: ModelSize) -> Application | None:
    """Return what the actor filed last for a size, so that a new application can start from it."""
    return own_applications(actor).sent().filter(size=size).first()


def grant_to_renew(actor: Actor, size: ModelSize, grant_id: str) -> Grant | None:
    """Return the actor's own grant of that id for the size, if there is one."""
    return Grant.objects.held_by(actor.id if actor.is_person else "").filter(sizes=size, pk=grant_id).first()


def _loaded() -> ApplicationQuerySet:
    related = ("applicant", "size__family", "size__standing", "agreement", "grant", "renews")
    return Application.objects.select_related(*related).prefetch_related("questions__changes")


def _one(found: ApplicationQuerySet, application_id: str) -> Application:
    application = found.filter(pk=application_id).first()
    if application is None:
        raise NotFound("There is nothing here.", change="Your applications are listed on one page.")
    return application
