"""Write and verify the record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection, transaction

from release_portal.audit.chain import FIELDS, GENESIS, link_hash, refuse_inexact, row_hash
from release_portal.audit.events import event_kind
from release_portal.audit.models import AuditEvent, AuditHead
from release_portal.core.actors import Actor


def record(
    kind: str, *, actor: Actor, subject: str, at: datetime, reason: str = "", data: Mapping[str, Any] | None = None
) -> AuditEvent:
    """Append one event inside the caller's transaction.

    Raises:
        KeyError: the kind is not in the catalogue.
        TypeError: data holds floats or objects, which would not verify later.
        RuntimeError: there is no transaction, so the act and its record could part.
    """
    event_kind(kind)
    content = dict(data or {})
    refuse_inexact(content)
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("record() must run inside the transaction of the act")
    head, _ = AuditHead.objects.select_for_update().get_or_create(id=1, defaults={"seq": 0, "hash": GENESIS})
    event = AuditEvent(
        seq=head.seq + 1,
        at=at,
        kind=kind,
        actor_kind=actor.kind.value,
        actor_id=actor.id,
        actor_name=actor.name,
        subject=subject,
        reason=reason,
        data=content,
        prev_hash=head.hash,
    )
    event.hash = _hash_of(event)
    event.save(force_insert=True)
    head.seq, head.hash = event.seq, event.hash
    head.save(update_fields=["seq", "hash"])
    return event


@dataclass(frozen=True)
class Verification:
    """Result of walking the chain: how many events hold, and the first row that does not."""

    checked: int
    bad_seq: int | None = None
    problem: str = ""

    @property
    def is_intact(self) -> bool:
        """Whether every link holds, up to the head."""
        return self.bad_seq is None


def verify_chain() -> Verification:
    """Walk the chain from its first event to its head and name the first bad row."""
    expected_seq, previous = 1, GENESIS
    for row in _rows():
        problem = _problem(row, expected_seq, previous)
        if problem:
            return Verification(expected_seq - 1, min(row[0], expected_seq), problem)
        expected_seq, previous = expected_seq + 1, row[-1]
    head = AuditHead.objects.filter(id=1).first()
    seq, last = (head.seq, head.hash) if head else (0, GENESIS)
    if (seq, last) != (expected_seq - 1, previous):
        return Verification(expected_seq - 1, expected_seq, f"the head says {seq} events, {expected_seq - 1} are there")
    return Verification(expected_seq - 1)


def _rows() -> Iterator[tuple[Any, ...]]:
    """Read FIELDS and the hash of every row as the driver gives them: model instances cost more than the hashes."""
    query = AuditEvent.objects.order_by("seq").values_list(*FIELDS, "hash").query
    with connection.chunked_cursor() as cursor:
        cursor.execute(*query.sql_with_params())
        while rows := cursor.fetchmany(2_000):
            yield from rows


def _problem(row: tuple[Any, ...], expected_seq: int, previous: str) -> str:
    seq, at, kind, actor_kind, actor_id, actor_name, subject, reason, data, prev_hash, stored = row
    if seq != expected_seq:
        return f"row {expected_seq} is missing"
    if prev_hash != previous:
        return "its previous hash is not the hash of the row before it"
    found: str | None
    try:
        found = row_hash(
            seq, _moment(at), kind, actor_kind, actor_id, actor_name, subject, reason, _content(data), prev_hash
        )
    except (TypeError, ValueError):  # a time that is none, text that is no JSON: nothing that `record` wrote
        found = None
    return "" if found == stored else "its content does not match its hash"


def _moment(stored: datetime | None) -> datetime:
    """Read a time as the driver gives it: SQLite's leaves the zone out, and gives None for what is no time."""
    if stored is None:
        raise ValueError("no time is written there")
    return stored if stored.tzinfo else stored.replace(tzinfo=UTC)


def _content(stored: Any) -> Any:
    return json.loads(stored) if isinstance(stored, str) else stored


def _hash_of(event: AuditEvent) -> str:
    return link_hash({name: getattr(event, name) for name in FIELDS})
