"""What a retirement means to the people who work with a size: told when it is announced, before its day, at the end."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from release_portal.access.models import Grant
from release_portal.core.actors import Actor
from release_portal.notices.services import notify
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Standing
from release_portal.releases.retirement_rules import notice_due
from release_portal.releases.retirements import announce_sunset, announced, archive_due, call_off_sunset

DAY = "%d %B %Y"
OVER = ("expired", "surrendered", "revoked")


@transaction.atomic
def announce_retirement(actor: Actor, size: ModelSize, *, sunset_at: datetime, reason: str, at: datetime) -> Standing:
    """Announce when a size will be retired, and tell everybody who holds a grant for it."""
    standing = announce_sunset(actor, size, sunset_at=sunset_at, reason=reason, at=at)
    _tell_before(size, sunset_at, at)
    return standing


@transaction.atomic
def call_off_retirement(actor: Actor, size: ModelSize, *, reason: str, at: datetime) -> Standing:
    """Call an announced retirement off, and tell those who were told of it."""
    standing = call_off_sunset(actor, size, reason=reason, at=at)
    for grant in _concerned(size, at):
        facts = {"size": size.name, "grant": grant.pk, "reason": reason.strip()}
        notify(grant.holder, "size_retirement_called_off", facts, at=at, path=_path(size))
    return standing


def carry_out_retirements(actor: Actor, *, at: datetime) -> int:
    """Archive the sizes whose day has come and tell the holders of their grants; remind the others before."""
    archived = archive_due(actor, at=at, then=_tell_of_end)
    for size in announced():
        _remind(size, at)
    return archived


@transaction.atomic
def _remind(size: ModelSize, at: datetime) -> None:
    assert size.standing.sunset_at is not None  # `announced` returns no others
    _tell_before(size, size.standing.sunset_at, at)


def _tell_before(size: ModelSize, sunset_at: datetime, at: datetime) -> None:
    """Each holder reads the announcement once, and once more at each of the last notices."""
    days = notice_due(sunset_at, at)
    moment = "announced" if days is None else f"{days} days"
    for grant in _concerned(size, at):
        facts = {"size": size.name, "grant": grant.pk, "date": f"{sunset_at:{DAY}}"}
        key = f"size:{size.pk}:retires:{sunset_at:%Y-%m-%d}:{moment}"
        notify(grant.holder, "size_retires", facts, at=at, path=_path(size), dedupe_key=key)


def _tell_of_end(size: ModelSize, at: datetime) -> None:
    for grant in _concerned(size, at):
        facts = {"size": size.name, "grant": grant.pk}
        notify(grant.holder, "size_archived", facts, at=at, path=_path(size), dedupe_key=f"size:{size.pk}:archived")


def _concerned(size: ModelSize, at: datetime) -> list[Grant]:
    """Return one grant for each person whose grant for the size has not ended."""
    held = Grant.objects.filter(sizes=size, ends_at__gt=at).exclude(state__in=OVER).select_related("holder")
    return list({grant.holder_id: grant for grant in held.order_by("created_at", "pk")}.values())


def _path(size: ModelSize) -> str:
    return f"/sizes/{size.slug}/"
