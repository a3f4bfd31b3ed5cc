"""The only way to attachments: through an application that the actor filed or may review."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import QuerySet

from release_portal.access.application_lookups import applications_to_review, own_applications
from release_portal.access.application_rules import decide_command
from release_portal.access.models import Application, Attachment
from release_portal.access.programmes.form_rules import readable_by
from release_portal.access.programmes.services import programme_facing
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import NotFound


@dataclass(frozen=True)
class OpenedFile:
    """A file that the actor may read, and the application to which it belongs."""

    attachment: Attachment
    application: Application


def attachments_of(application: Application) -> QuerySet[Attachment]:
    """Return the files of an application that was looked up for the actor."""
    return application.attachments.select_related("question")


def files_facing(actor: Actor, application: Application) -> list[Attachment]:
    """Return the files that the actor reads: all of their own, else those whose question names one of their roles."""
    found = list(attachments_of(application))
    if actor.account_id == application.applicant_id:
        return found
    questions = programme_facing(application).questions
    closed = {one.key for one in questions if not readable_by(one, actor.roles)}
    return [one for one in found if one.field_key not in closed]


def attached_keys(application: Application) -> list[str]:
    """Return the keys of the questions of the form for which there is a file."""
    return sorted(set(application.attachments.exclude(field_key="").values_list("field_key", flat=True)))


def attachment_for(application: Application, field_key: str) -> Attachment | None:
    """Return the newest file that answers a question of the form, if there is one."""
    return application.attachments.filter(field_key=field_key).order_by("-uploaded_at", "-pk").first()


def readable_application(actor: Actor, application_id: str) -> Application:
    """Return an application whose files the actor may read: their own, or one that they may review."""
    for found in (own_applications(actor), applications_to_review(actor)):
        if (application := found.filter(pk=application_id).first()) is not None:
            return application
    raise NotFound("There is nothing here.", change="Your applications are listed on one page.")


def readable_attachment(actor: Actor, application_id: str, attachment_id: str) -> OpenedFile:
    """Return one file of an application; a file of another application is not there."""
    application = readable_application(actor, application_id)
    found = next((one for one in files_facing(actor, application) if one.pk == attachment_id), None)
    if found is None:
        raise NotFound("There is no such file.", change="The files stand on the application's page.")
    return OpenedFile(found, application)


def file_decision(name: str, actor: Actor, application: Application) -> Decision:
    """Return whether the actor may attach or detach files now; pages ask the same as services."""
    applicant, stage = str(application.applicant_id), application.size.standing.stage
    return decide_command(name, application.state, actor, applicant, stage)
