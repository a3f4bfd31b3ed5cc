"""Fetch a job for somebody who may see it: its owner, and nobody else."""

from __future__ import annotations

from django.db.models import QuerySet

from inference.contract import Function
from release_portal.core.actors import Actor
from release_portal.core.decisions import may_not
from release_portal.core.errors import NotFound, error_of
from release_portal.jobs.models import Job
from release_portal.registry.models import ModelSize


def jobs_for(actor: Actor) -> QuerySet[Job]:
    """Return the actor's own jobs, newest first; a token needs the scope jobs:read or generate."""
    if not actor.is_person:
        return Job.objects.none()
    if actor.scopes is not None and not actor.scopes & {"jobs:read", "generate"}:
        raise error_of(
            may_not("scope", "This token does not carry the scope jobs:read.", "token scope x read jobs", "Create one.")
        )
    return Job.objects.filter(account_id=actor.account_id).select_related("size", "size__family", "grant")


def job_for(actor: Actor, job_id: str) -> Job:
    """Return one of the actor's own jobs."""
    job = jobs_for(actor).filter(pk=job_id).first()
    if job is None:
        raise NotFound("There is nothing here.", change="Your generations are listed on your home page.")
    return job


def generations_for(actor: Actor) -> QuerySet[Job]:
    """Return the actor's own generations, newest first; a score is shown by its detection report."""
    return jobs_for(actor).filter(function=Function.GENERATE.value)


def sizes_generated_with(actor: Actor) -> QuerySet[ModelSize]:
    """Return the sizes with which the actor has generated."""
    return ModelSize.objects.filter(jobs__in=generations_for(actor)).distinct()


def generation_for(actor: Actor, job_id: str) -> Job:
    """Return one of the actor's own generations."""
    job = generations_for(actor).filter(pk=job_id).first()
    if job is None:
        raise NotFound("There is nothing here.", change="Your generations are listed on your home page.")
    return job
