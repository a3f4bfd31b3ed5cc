"""Recalls (R6): ask everybody who has the weights of a size to delete them, and keep what they answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.urls import reverse

from release_portal.access.models import Grant
from release_portal.accounts.models import User
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, NotFound, NotNow, StaleVersion, error_of
from release_portal.moves.recall_rules import CLOSED, OPEN, RECALL_STAFF, decide_command, may_open, percent_confirmed
from release_portal.notices.services import notify
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Recall, RecallNotice
from release_portal.releases.services import size_subject

LONGEST = 5_000


@dataclass(frozen=True)
class Progress:
    """How far a recall has come."""

    total: int
    acknowledged: int
    deleted: int

    @property
    def percent(self) -> int:
        """Recipients that have stated deletion, in percent."""
        return percent_confirmed(self.total, self.deleted)


# --- Staff ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def open_recall(actor: Actor, size: ModelSize, *, reason: str, at: datetime) -> Recall:
    """Ask every holder of a grant that named the weights, whenever it was in force, to delete them.

    Args:
        reason: what recipients and the public read.
    """
    _check(may_open(actor))
    _check_text(reason, "reason", "Write why; every recipient reads it, and the public does.")
    ModelSize.objects.select_for_update().get(pk=size.pk)  # one recall at a time
    if Recall.objects.filter(size=size, closed_at=None).exists():
        raise NotNow("A recall of this size is open.", code="open", rule="recall: open", change="Work on that one.")
    recall = Recall.objects.create(
        size=size, reason=reason.strip(), opened_by_id=actor.id, opened_by=actor.name, opened_at=at
    )
    grants = recipients_of(size)
    for grant in grants:
        _send(recall, grant, at)
    _record("recall.opened", actor, recall, at, recall.reason, recipients=len(grants))
    return recall


@transaction.atomic
def add_recipient(actor: Actor, recall_id: int, *, name: str, contact: str, at: datetime) -> RecallNotice:
    """Add somebody who has the weights without a grant here; staff tell them and enter their answer."""
    recall = _locked(recall_id)
    _check(decide_command("add", state_of(recall), actor))
    _check_text(name, "name", "Write who has a copy.")
    _check_text(contact, "contact", "Write how they were told.")
    notice = RecallNotice.objects.create(
        recall=recall, recipient=name.strip()[:200], contact=contact.strip()[:254], sent_at=at
    )
    _record("recall.recipient_added", actor, recall, at, notice=notice.pk)
    return notice


@transaction.atomic
def close_recall(actor: Actor, recall_id: int, *, note: str, expected_version: int, at: datetime) -> Recall:
    """Close a recall with a note on what it reached."""
    recall = _locked(recall_id)
    _check(decide_command("close", state_of(recall), actor))
    _check_text(note, "note", "Write what was reached and what was not; the public reads it.")
    if recall.version != expected_version:
        raise StaleVersion("The recall changed while this form was open.", change="Look again, then decide.")
    recall.closed_at, recall.closed_by, recall.closing_note = at, actor.name, note.strip()
    recall.version += 1
    recall.save(update_fields=["closed_at", "closed_by", "closing_note", "version"])
    found = progress_of(recall)
    _record("recall.closed", actor, recall, at, recall.closing_note, recipients=found.total, deleted=found.deleted)
    return recall


# --- Recipients ------------------------------------------------------------------------------------------------------


@transaction.atomic
def acknowledge(actor: Actor, notice_id: int, *, at: datetime) -> RecallNotice:
    """Write down that a recipient has read the notice; a second time changes nothing."""
    notice = _answered(actor, notice_id, "acknowledge")
    if notice.acknowledged_at is None:
        notice.acknowledged_at = at
        notice.save(update_fields=["acknowledged_at"])
        _record("recall.acknowledged", actor, notice.recall, at, notice=notice.pk)
    return notice


@transaction.atomic
def state_deletion(actor: Actor, notice_id: int, *, statement: str, at: datetime) -> RecallNotice:
    """Write down a recipient's statement that every copy is gone; it stands once and is not changed."""
    notice = _answered(actor, notice_id, "delete")
    if notice.deleted_at is not None:
        raise NotNow(
            "Deletion was stated already.", code="stated", rule="recall: delete", change="Nothing is left to do."
        )
    _check_text(statement, "statement", "Write which copies were deleted, and how.")
    notice.acknowledged_at = notice.acknowledged_at or at
    notice.deleted_at, notice.statement = at, statement.strip()
    notice.save(update_fields=["acknowledged_at", "deleted_at", "statement"])
    _record("recall.deletion_stated", actor, notice.recall, at, notice=notice.pk)
    return notice


# --- Reading ---------------------------------------------------------------------------------------------------------


def recipients_of(size: ModelSize) -> list[Grant]:
    """Return one grant for each account that ever held one for the weights of a size, the newest."""
    grants = Grant.objects.filter(sizes=size, functions__name="weights").select_related("holder")
    newest: dict[int, Grant] = {}
    for grant in grants.order_by("created_at", "pk").distinct():
        newest[grant.holder_id] = grant
    return list(newest.values())


def recalls_of(size: ModelSize) -> list[Recall]:
    """Return the recalls of a size, newest first, with their notices."""
    return list(Recall.objects.filter(size=size).prefetch_related("notices"))


def recall_for(actor: Actor, recall_id: int) -> Recall:
    """Return a recall for staff who work on it."""
    found = Recall.objects.select_related("size").filter(pk=recall_id).first()
    if found is None or actor.scopes is not None or not actor.has_role(*RECALL_STAFF):
        raise NotFound("There is nothing here.", change="The recalls of a size are listed on its page.")
    return found


def notice_for(actor: Actor, notice_id: int) -> RecallNotice:
    """Return a recall notice for its recipient, or for staff who work on recalls."""
    found = _notices_for(actor).filter(pk=notice_id).first()
    if found is None:
        raise NotFound("There is nothing here.", change="What you were told is listed on your notices page.")
    return found


def progress_of(recall: Recall) -> Progress:
    """Return how many were told, have acknowledged, and have stated deletion."""
    counts = RecallNotice.objects.filter(recall=recall).aggregate(
        total=Count("pk"),
        acknowledged=Count("pk", filter=~Q(acknowledged_at=None)),
        deleted=Count("pk", filter=~Q(deleted_at=None)),
    )
    return Progress(**counts)


def state_of(recall: Recall) -> str:
    """Return open or closed."""
    return OPEN if recall.closed_at is None else CLOSED


def _notices_for(actor: Actor) -> QuerySet[RecallNotice]:
    notices = RecallNotice.objects.select_related("recall__size")
    if not actor.is_person or actor.scopes is not None:
        return notices.none()
    return notices if actor.has_role(*RECALL_STAFF) else notices.filter(account_id=actor.id)


def _answered(actor: Actor, notice_id: int, name: str) -> RecallNotice:
    found = _notices_for(actor).select_for_update(of=("self",)).filter(pk=notice_id).first()
    if found is None:
        raise NotFound("There is nothing here.", change="What you were told is listed on your notices page.")
    _check(decide_command(name, state_of(found.recall), actor, found.account_id))
    return found


def _send(recall: Recall, grant: Grant, at: datetime) -> None:
    holder: User = grant.holder
    notice = RecallNotice.objects.create(
        recall=recall,
        recipient=holder.name,
        contact=holder.email,
        account_id=str(holder.pk),
        grant_id=grant.pk,
        sent_at=at,
    )
    context = {"size": recall.size.name, "grant": grant.pk, "reason": recall.reason}
    notify(holder, "weights_recalled", context, at=at, path=reverse("recall-notice", args=[notice.pk]))


def _locked(recall_id: int) -> Recall:
    recall = Recall.objects.select_for_update(of=("self",)).select_related("size").filter(pk=recall_id).first()
    if recall is None:
        raise NotFound("There is no such recall.", change="The recalls of a size are listed on its page.")
    return recall


def _check_text(text: str, field: str, change: str) -> None:
    if not text.strip():
        raise InvalidInput("This is needed.", field=field, change=change)
    if len(text) > LONGEST:
        raise InvalidInput(f"This is longer than {LONGEST} characters.", field=field, change="Shorten it.")


def _record(kind: str, actor: Actor, recall: Recall, at: datetime, reason: str = "", **data: int) -> None:
    content = {"recall": recall.pk, **data}
    record(kind, actor=actor, subject=size_subject(recall.size.slug), at=at, reason=reason, data=content)


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)
