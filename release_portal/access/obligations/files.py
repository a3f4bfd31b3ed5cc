"""Files with a duty: handed in with it, read by whoever reads the grant's page, gone a year after the grant's end."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.models import QuerySet

from release_portal.access.attachments import store
from release_portal.access.attachments.rules import KEPT, MOST_FILES, Upload
from release_portal.access.attachments.taking import check_upload, columns_of
from release_portal.access.models import DutyFile, Obligation
from release_portal.access.obligations.services import decide_duty, hand_in
from release_portal.access.services import grant_subject
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor, system_actor
from release_portal.core.decisions import Decision, allow, not_now
from release_portal.core.errors import NotFound, error_of

ERASER = system_actor("account deletion")


def hand_in_with(
    actor: Actor,
    obligation_id: int,
    upload: Upload | None,
    *,
    said: str,
    link: str = "",
    expected_version: int,
    at: datetime,
) -> Obligation:
    """Hand in what is due, with a file where one was sent; both are kept, or neither.

    Args:
        actor: the holder.
        obligation_id: which duty.
        upload: the file as it was sent, if any.
        said: the report, or what was found, or the statement.
        link: where more of it lies.
        expected_version: version of the duty that the holder saw.
        at: the time of handing in.

    Raises:
        InvalidInput: the file is of no kind that is taken, or the words are missing.
        NotNow: the duty waits for nothing, or has as many files as it may have.
    """
    act = partial(hand_in, actor, obligation_id, said=said, link=link, expected_version=expected_version, at=at)
    if upload is None:
        return act()
    _check_room(actor, Obligation.objects.select_related("grant").get(pk=obligation_id))
    check_upload(upload)
    with store.keeping(upload.data) as stored_as, transaction.atomic():
        duty = act()
        _add(actor, duty, upload, stored_as, at)
    return duty


def _check_room(actor: Actor, duty: Obligation) -> None:
    for decision in (decide_duty(actor, duty, "hand_in"), _room(duty.files.count())):
        if not decision:
            raise error_of(decision)


def _room(count: int) -> Decision:
    rule = f"duties: at most {MOST_FILES} files"
    if count < MOST_FILES:
        return allow("room", "There is room for another file.", rule)
    return not_now("too_many_files", f"A duty has at most {MOST_FILES} files.", rule, "Say in words what is new.")


def _add(actor: Actor, duty: Obligation, upload: Upload, stored_as: str, at: datetime) -> None:
    columns = columns_of(upload, stored_as)
    made = DutyFile.objects.create(obligation=duty, uploaded_by_id=actor.account_id, uploaded_at=at, **columns)
    _record("obligation.file_attached", actor, made, at)


def duty_file_of(duty: Obligation, file_id: str) -> DutyFile:
    """Return one file of a duty that was looked up for the actor; a file of another duty is not there."""
    found = duty.files.filter(pk=file_id).first()
    if found is None:
        raise NotFound("There is no such file.", change="The files stand with the duty on the grant's page.")
    return found


def purge_duty_files(actor: Actor, *, at: datetime) -> int:
    """Remove the files of grants that ended so long ago that nobody asks for them; return how many."""
    return _remove(actor, DutyFile.objects.filter(obligation__grant__ends_at__lte=at - KEPT), at, "no longer needed")


def erase_duty_files(user: User, at: datetime) -> int:
    """Remove every file that a person handed in: of a deleted account no grant runs any more."""
    return _remove(ERASER, DutyFile.objects.filter(uploaded_by=user), at, "the account is deleted")


@transaction.atomic
def _remove(actor: Actor, found: QuerySet[DutyFile], at: datetime, why: str) -> int:
    gone = list(found.select_related("obligation__grant"))
    for one in gone:
        _record("obligation.file_removed", actor, one, at, why)
        transaction.on_commit(partial(store.discard, one.stored_as))
    DutyFile.objects.filter(pk__in=[one.pk for one in gone]).delete()
    return len(gone)


def _record(kind: str, actor: Actor, file: DutyFile, at: datetime, reason: str = "") -> None:
    """The record holds what the file was, not its name, which may say much about a person."""
    data = {"obligation": file.obligation_id, "file": file.pk, "kind": file.kind, "bytes": file.size}
    subject = grant_subject(file.obligation.grant)
    record(kind, actor=actor, subject=subject, at=at, reason=reason, data=data | {"sha256": file.sha256})
