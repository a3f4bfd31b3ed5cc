"""Attach a file, remove it, read it; and what time removes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from release_portal.access.application_rules import LAPSED, SUBMITTED, WITHDRAWN
from release_portal.access.applications import application_subject, locked_row
from release_portal.access.attachments import rules, store
from release_portal.access.attachments.lookups import file_decision
from release_portal.access.attachments.rules import Upload
from release_portal.access.attachments.taking import check_upload, columns_of
from release_portal.access.models import Application, Attachment, DutyFile, KeptFile
from release_portal.appeals.lookups import appeal_against
from release_portal.appeals.rules import ENDED
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, error_of

# A file without a row was left by a process that died between the two; a running upload is younger than this.
LEFT_BEHIND = timedelta(hours=1)


def attach_file(actor: Actor, application_id: str, upload: Upload, *, at: datetime, field_key: str = "") -> Attachment:
    """Keep a file with an application.

    Its bytes are looked at, sealed and written before the transaction begins, which then holds no lock for long.

    Args:
        actor: the applicant.
        application_id: their application, looked up before.
        upload: the file as it was sent.
        at: the time of sending.
        field_key: the question of the form that the file answers; empty for a file of no question.

    Raises:
        InvalidInput: the file is of no kind that is taken, or name, type and content do not agree.
        TooLarge: it has more bytes than the portal keeps.
        NotNow: the application takes no files any more, or has as many as it may have.
    """
    _check_room(actor, Application.objects.select_related("size__standing").get(pk=application_id))
    _check_upload(upload, field_key)
    with store.keeping(upload.data) as stored_as:
        return _keep(actor, application_id, upload, stored_as, field_key, at)


@transaction.atomic
def _keep(
    actor: Actor, application_id: str, upload: Upload, stored_as: str, field_key: str, at: datetime
) -> Attachment:
    application = locked_row(application_id)
    _check_room(actor, application)
    attachment = Attachment.objects.create(
        application=application,
        uploaded_by_id=actor.account_id,
        question=application.questions.filter(answered_at=None).first(),
        field_key=field_key,
        **columns_of(upload, stored_as),
        uploaded_at=at,
    )
    if application.state == SUBMITTED:  # whoever decides now on what they saw before is told to look again
        application.version += 1
        application.save(update_fields=["version"])
    _record("application.file_attached", actor, attachment, at)
    return attachment


def _check_room(actor: Actor, application: Application) -> None:
    _check(file_decision("attach", actor, application))
    _check(rules.room_for_another(application.attachments.count()))


def _check_upload(upload: Upload, field_key: str) -> None:
    if len(field_key) > rules.LONGEST_FIELD or not field_key.isprintable():
        raise InvalidInput("There is no such question.", field="field_key")
    check_upload(upload)


@transaction.atomic
def detach_file(actor: Actor, application_id: str, attachment_id: str, *, at: datetime) -> None:
    """Remove a file from a draft; its bytes are gone with it."""
    application = locked_row(application_id)
    _check(file_decision("detach", actor, application))
    _remove(actor, application.attachments.filter(pk=attachment_id), at, why="removed by the applicant")


def content_of(attachment: KeptFile) -> bytes:
    """Return the bytes of a file that was looked up for the actor."""
    return store.read(attachment.stored_as)


@transaction.atomic
def remove_files(actor: Actor, applications: QuerySet[Application], *, at: datetime, why: str) -> int:
    """Remove every file of some applications."""
    return _remove(actor, Attachment.objects.filter(application__in=applications), at, why=why)


@transaction.atomic
def purge_attachments(actor: Actor, *, at: datetime) -> int:
    """Remove the files of drafts that nobody sent, and those that are no longer needed; return how many."""
    unsent = Application.objects.filter(submitted_at=None, state__in=(LAPSED, WITHDRAWN))
    count = remove_files(actor, unsent, at=at, why="the draft was never sent")
    old = Attachment.objects.filter(_might_be_old(at)).select_related("application__grant")
    over = [one.pk for one in old if _is_over(one.application, at)]
    return count + _remove(actor, Attachment.objects.filter(pk__in=over), at, why="no longer needed")


def _might_be_old(at: datetime) -> Q:
    before = at - rules.KEPT
    ended = Q(application__state=WITHDRAWN) | Q(application__state=LAPSED)
    return Q(application__decided_at__lt=before) | (ended & Q(application__saved_at__lt=before))


def _is_over(application: Application, at: datetime) -> bool:
    """A grant that runs, and an appeal that is open, keep the files of their application."""
    appeal = appeal_against(application_subject(application))
    if appeal is not None and appeal.state not in ENDED:
        return False
    grant_end = application.grant.ends_at if application.grant else None
    until = rules.kept_until(application.decided_at or application.saved_at, grant_end)
    return until is not None and until <= at


@transaction.atomic
def sweep_left_behind(*, at: datetime) -> int:
    """Remove bytes to which no row belongs: an upload that failed after it was written."""
    names = store.names_before(at - LEFT_BEHIND)
    known = {
        name
        for kind in (Attachment, DutyFile)
        for name in kind.objects.filter(stored_as__in=names).values_list("stored_as", flat=True)
    }
    _discard_later([name for name in names if name not in known])
    return len(names) - len(known)


def _remove(actor: Actor, found: QuerySet[Attachment], at: datetime, *, why: str) -> int:
    gone = list(found.select_related("application"))
    for attachment in gone:
        _record("application.file_removed", actor, attachment, at, reason=why)
    Attachment.objects.filter(pk__in=[one.pk for one in gone]).delete()
    _discard_later([one.stored_as for one in gone])
    return len(gone)


def _discard_later(names: Iterable[str]) -> None:
    """Bytes go when it is certain that their row went."""
    for name in names:
        transaction.on_commit(lambda name=name: store.discard(name))  # type: ignore[misc]


def _record(kind: str, actor: Actor, attachment: Attachment, at: datetime, *, reason: str = "") -> None:
    """The record holds what the file was, not its name, which may say much about a person."""
    data = {"file": attachment.pk, "kind": attachment.kind, "bytes": attachment.size, "sha256": attachment.sha256}
    subject = application_subject(attachment.application)
    record(kind, actor=actor, subject=subject, at=at, reason=reason, data=data)


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
