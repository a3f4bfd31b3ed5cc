"""Write retirements: announce one, call it off, and archive the size on its day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from release_portal.audit.models import AuditEvent
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import InvalidInput, error_of
from release_portal.epochs.services import advance_epoch, size_key
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Standing
from release_portal.releases.narrowing_rules import SUNSET_NOTICE
from release_portal.releases.narrowings import locked_standing
from release_portal.releases.retirement_rules import ANNOUNCED, ARCHIVED, decide_command, is_due, retirement_state
from release_portal.releases.services import size_subject


@transaction.atomic
def announce_sunset(actor: Actor, size: ModelSize, *, sunset_at: datetime, reason: str, at: datetime) -> Standing:
    """Announce when a size will be retired, 90 days before at least; its page shows it until then.

    Raises:
        InvalidInput: the day comes too soon, or no reason is given.
        NotAllowed, NotNow: the lifecycle says no.
    """
    standing = _locked("announce", actor, size)
    _check_reason(reason)
    if sunset_at < at + SUNSET_NOTICE:
        change = f"Choose {at + SUNSET_NOTICE:%d %B %Y} or later."
        raise InvalidInput("People need 90 days to prepare.", field="sunset_at", change=change)
    _save(standing, sunset_at=sunset_at)
    data = {"sunset_at": sunset_at.isoformat(), "version": standing.version}
    record("sunset.announced", actor=actor, subject=size_subject(size.slug), at=at, reason=reason.strip(), data=data)
    return standing


@transaction.atomic
def call_off_sunset(actor: Actor, size: ModelSize, *, reason: str, at: datetime) -> Standing:
    """Call an announced retirement off before its day; the size stays as it is."""
    standing = _locked("call_off", actor, size)
    _check_reason(reason)
    _save(standing, sunset_at=None)
    data = {"version": standing.version}
    record("sunset.called_off", actor=actor, subject=size_subject(size.slug), at=at, reason=reason.strip(), data=data)
    return standing


def archive_due(actor: Actor, *, at: datetime, then: Callable[[ModelSize, datetime], None]) -> int:
    """Archive each size whose announced day has come; return how many.

    Args:
        then: what a higher room does in the same transaction for each size that was archived.
    """
    _check(decide_command("archive", actor, ANNOUNCED))
    return sum(_archive(actor, size, at, then) for size in announced().filter(standing__sunset_at__lte=at))


def announced() -> QuerySet[ModelSize]:
    """Return the sizes whose retirement is announced and has not come."""
    return ModelSize.objects.select_related("standing").exclude(standing__sunset_at=None).filter(standing__ending="")


@transaction.atomic
def _archive(actor: Actor, size: ModelSize, at: datetime, then: Callable[[ModelSize, datetime], None]) -> int:
    standing = locked_standing(size)
    if standing.ending or not is_due(standing.sunset_at, standing.tombstone, at):
        return 0  # another sweep was first, another day was announced, or a withdrawal waits for its second person
    word = _announcement(size)
    standing.tombstone = {"why": word.reason, "announced_by": word.actor_name, "archived_at": at.isoformat()}
    standing.ending = ARCHIVED
    _save(standing, sunset_at=standing.sunset_at)
    advance_epoch(size_key(size.slug))  # every permit for the size ends, and the work under it
    data = {"version": standing.version, "announced": word.seq}
    record("size.archived", actor=actor, subject=size_subject(size.slug), at=at, reason=word.reason, data=data)
    then(size, at)
    return 1


def _announcement(size: ModelSize) -> AuditEvent:
    """The act of a person that the archiving carries out."""
    return AuditEvent.objects.about(size_subject(size.slug)).filter(kind="sunset.announced").latest("seq")


def _locked(name: str, actor: Actor, size: ModelSize) -> Standing:
    standing = locked_standing(size)
    _check(decide_command(name, actor, retirement_state(standing.ending, standing.sunset_at)))
    return standing


def _check(decision: Decision) -> None:
    if not decision:
        raise error_of(decision)


def _save(standing: Standing, *, sunset_at: datetime | None) -> None:
    standing.sunset_at, standing.version = sunset_at, standing.version + 1
    standing.save(update_fields=["sunset_at", "ending", "tombstone", "version"])


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise InvalidInput("A reason is needed.", field="reason", change="Write it; the public timeline shows it.")
