"""How a size came to stand where it stands: the public events about it and the dated facts, in one order."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

from django.db.models import QuerySet

from release_portal.access.lookups import sizes_for
from release_portal.access.policy import Action
from release_portal.audit.lookups import public_events_about
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor
from release_portal.registry.models import HistoricEvent, ModelSize
from release_portal.releases.freezes import freeze_subjects
from release_portal.releases.services import size_subject

Entry = AuditEvent | HistoricEvent


def timeline_of(actor: Actor, size: ModelSize, *, at: datetime) -> list[Entry]:
    """Return the public events of a size, the freezes over it, and the dated facts about it, newest first."""
    entries: list[Entry] = [*public_events_about([size_subject(size.slug), *freeze_subjects(size.family)])]
    entries += tellable_facts(actor, size.historic_events.all(), at=at)
    return sorted(entries, key=_order, reverse=True)


def tellable_facts(actor: Actor, facts: QuerySet[HistoricEvent], *, at: datetime) -> list[HistoricEvent]:
    """Leave out facts that name a size which the reader may not see: they would tell of it."""
    seen = set(sizes_for(actor, Action.VIEW, at=at).values_list("pk", flat=True))
    return [fact for fact in facts.prefetch_related("sizes") if {size.pk for size in fact.sizes.all()} <= seen]


def moment_of(value: datetime | date) -> datetime:
    """Return a moment by which a day and a time can be put in order: a day counts from its beginning."""
    return value if isinstance(value, datetime) else datetime.combine(value, time.min, UTC)


def _order(entry: Entry) -> tuple[datetime, int]:
    if isinstance(entry, AuditEvent):
        return entry.at, entry.seq
    return moment_of(entry.happened_on), entry.pk
