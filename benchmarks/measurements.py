"""What is measured, each variant in turn within every round, so that a busy machine slows all of them alike."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from django.db import connection, transaction

from benchmarks import bulk
from model_cards import lookups as card_lookups
from release_portal.audit.chain import FIELDS, GENESIS
from release_portal.audit.models import AuditEvent, AuditHead
from release_portal.audit.services import verify_chain
from release_portal.core.clock import now
from release_portal.evidence.lookups import newest_evidence
from release_portal.registry.models import ModelSize
from release_portal.releases.assessments import next_assessments
from release_portal.releases.excuses import excuses_for
from release_portal.releases.history import board_as_of, standing_as_of

ROUNDS = 5
Variants = Mapping[str, Callable[[], Any]]


@dataclass(frozen=True)
class Amount:
    """How many rows are written."""

    sizes: int
    events: int
    evidence: int
    chain: int


FULL = Amount(sizes=1_000, events=20_000, evidence=100_000, chain=1_000_000)
QUICK = Amount(sizes=100, events=2_000, evidence=10_000, chain=20_000)


def measure(amount: Amount) -> None:
    """Fill the database, then print a table for each of the three measurements."""
    at = now()
    print(f"{connection.vendor}; {ROUNDS} rounds; median (least to most), wall clock and processor")
    sizes = _filled(amount, at)
    middle = at - amount.events // 2 * bulk.SECOND
    one = sizes[len(sizes) // 2]
    _compare(
        f"as_of: {len(sizes):,} sizes, {amount.events:,} events",
        {
            "board_as_of, all sizes, now": lambda: board_as_of(sizes, at),
            "board_as_of, all sizes, half way": lambda: board_as_of(sizes, middle),
            "standing_as_of, one size": lambda: standing_as_of(one.slug, at),
        },
    )
    _compare(
        f"excuses: {len(sizes):,} sizes, {amount.evidence:,} evidence rows",
        {
            "excuses_for, all sizes": lambda: excuses_for(sizes, at),
            "excuses_for, every card linted anew": lambda: _unkept(lambda: excuses_for(sizes, at)),
            "excuses_for, a tenth of the sizes": lambda: excuses_for(sizes[::10], at),
            "next_assessments, all sizes": lambda: next_assessments(sizes, at),
            "newest_evidence, all sizes": lambda: newest_evidence(sizes),
        },
    )
    _write_chain(sizes, amount, at)
    _compare(
        f"verification: {amount.chain:,} events",
        {"verify_chain": _verified, "the same with a model instance for each event": verify_by_instances},
    )


def _filled(amount: Amount, at: datetime) -> list[ModelSize]:
    with transaction.atomic():
        policy = bulk.write_policy(at)
        sizes = bulk.write_sizes(amount.sizes, at=at)
        bulk.write_proposals(sizes, policy, at=at)
        bulk.write_evidence(sizes, amount.evidence, at=at)
        bulk.write_events([size.slug for size in sizes], amount.events, at=at)
    return sizes


def _write_chain(sizes: list[ModelSize], amount: Amount, at: datetime) -> None:
    with transaction.atomic():
        bulk.write_events([size.slug for size in sizes], amount.chain - amount.events, at=at)


def _unkept(work: Callable[[], Any]) -> Any:
    card_lookups._errors.cache_clear()
    return work()


def _verified() -> None:
    result = verify_chain()
    assert result.is_intact, result


def verify_by_instances() -> None:
    """Walk the chain as it was done first: a model instance and `json.dumps` for each event."""
    expected, previous = 1, GENESIS
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=2_000):
        content = {name: getattr(event, name) for name in FIELDS}
        content["at"] = event.at.astimezone(UTC).isoformat(timespec="microseconds")
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        found = hashlib.sha256(text.encode()).hexdigest()
        assert (event.seq, event.prev_hash, event.hash) == (expected, previous, found)
        expected, previous = expected + 1, event.hash
    assert AuditHead.objects.get(id=1).hash == previous


# --- Timing ----------------------------------------------------------------------------------------------------------


def _compare(title: str, variants: Variants) -> None:
    """Run every variant once in each round; print seconds, and how each compares with the first."""
    wall: dict[str, list[float]] = {name: [] for name in variants}
    processor: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, work in variants.items():
            started, used = time.perf_counter(), time.process_time()
            work()
            wall[name].append(time.perf_counter() - started)
            processor[name].append(time.process_time() - used)
    first = median(processor[next(iter(variants))])
    print(f"\n{title}")
    for name in variants:
        ratio = median(processor[name]) / first
        print(f"  {name:<48} {_spread(wall[name])} s   {_spread(processor[name])} s   x {ratio:.2f}", flush=True)


def _spread(seconds: list[float]) -> str:
    return f"{median(seconds):8.3f} ({min(seconds):.3f} to {max(seconds):.3f})"
