"""Many rows at once, written without services: what a lab's portal may hold after years."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from model_cards.models import CardVersion
from release_portal.audit.chain import GENESIS, link_hash
from release_portal.audit.models import AuditEvent, AuditHead
from release_portal.evidence.facts import ACCEPTED
from release_portal.evidence.models import Evidence, EvidenceReview
from release_portal.registry.models import ModelFamily, ModelSize, Revision
from release_portal.releases.ladder import LADDER
from release_portal.releases.models import (
    CommentWindow,
    Hold,
    Lock,
    PolicyAdoption,
    PolicyVersion,
    Proposal,
    StageEntry,
    Standing,
)
from release_portal.releases.policy_files import packaged

DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
BATCH = 500
CRITERIA = ("C01", "C03", "C04", "C05", "C06", "C07", "C08", "C09", "C11", "C12", "C14", "C14g", "C15", "C16", "C22",
            "C23", "C24", "C25", "C26", "X1")  # fmt: skip
DIGEST = "0" * 64
CARD = "---\nlicense: mit\n---\n# Size {name}\n\n## Intended use\n\nIt has {parameters} parameters.\n"


# --- Catalogue -------------------------------------------------------------------------------------------------------


def write_policy(at: datetime) -> PolicyVersion:
    """Put the packaged preset in force for everything."""
    policy = packaged("preset")
    version, _ = PolicyVersion.objects.get_or_create(
        digest=policy.digest,
        defaults={"name": policy.name, "version": policy.version, "title": policy.title, "text": policy.text}
        | {"stored_at": at, "stored_by": "bulk"},
    )
    PolicyAdoption.objects.create(policy=version, family=None, adopted_at=at, adopted_by="bulk", reason="bulk")
    return version


def write_sizes(count: int, *, at: datetime, per_family: int = 20, label: str = "bulk") -> list[ModelSize]:
    """Write families with sizes on every stage, each with weights and a card; return the sizes, standing loaded."""
    families = ModelFamily.objects.bulk_create(
        ModelFamily(
            slug=f"{label}-{number}", name=f"{label} {number}", lab=label, summary="Many.", ordinal=100 + number
        )
        for number in range(-(-count // per_family))
    )
    sizes = ModelSize.objects.bulk_create(
        (
            ModelSize(
                family=families[number // per_family],
                slug=f"{label}/size-{number}",
                name=f"Size {number}",
                ordinal=number % per_family,
                parameters=1_000_000 * (1 + number),
            )
            for number in range(count)
        ),
        batch_size=BATCH,
    )
    _write_belongings(sizes, at)
    return list(ModelSize.objects.filter(slug__startswith=f"{label}/").select_related("family", "standing"))


def _write_belongings(sizes: Sequence[ModelSize], at: datetime) -> None:
    since = at - 100 * DAY
    places = [(size, LADDER[number % 7]) for number, size in enumerate(sizes)]  # the widest stage has no gate
    Standing.objects.bulk_create(
        (Standing(size=size, stage=place.slug, granted=place.slug, since=since) for size, place in places),
        batch_size=BATCH,
    )
    StageEntry.objects.bulk_create(
        (
            StageEntry(size=size, stage=below.slug, ordinal=below.ordinal, entered_at=since - place.ordinal * DAY)
            for size, place in places
            for below in LADDER[: place.ordinal + 1]
        ),
        batch_size=BATCH,
    )
    Revision.objects.bulk_create(
        (
            Revision(
                size=size,
                commit="c" * 40,
                digest=f"{size.pk:064x}",
                total_bytes=1,
                source="bulk",
                is_current=True,
                created_at=since,
            )
            for size in sizes
        ),
        batch_size=BATCH,
    )
    CardVersion.objects.bulk_create(
        (
            CardVersion(
                size=size,
                number=1,
                text=CARD.format(name=size.name, parameters=size.parameters),
                digest=DIGEST,
                author_name="bulk",
                created_at=since,
            )
            for size in sizes
        ),
        batch_size=BATCH,
    )


# --- Proposals and holds ---------------------------------------------------------------------------------------------


def write_proposals(sizes: Sequence[ModelSize], policy: PolicyVersion, *, at: datetime) -> None:
    """Give every fourth size a proposal in review, locked, with a comment window; hold every tenth."""
    moving = [(size, LADDER[size.standing.place.ordinal + 1]) for size in sizes[::4]]
    proposals = Proposal.objects.bulk_create(
        (
            Proposal(
                size=size,
                source=size.standing.stage,
                target=above.slug,
                policy=policy,
                state="in_review",
                rationale="Bulk.",
                opened_by_id="0",
                opened_by="bulk",
                opened_at=at,
            )
            for size, above in moving
        ),
        batch_size=BATCH,
    )
    _write_around(proposals, at)
    Hold.objects.bulk_create(
        (Hold(size=size, reason="Bulk.", raised_by="bulk", raised_at=at) for size in sizes[::10]), batch_size=BATCH
    )


def _write_around(proposals: Sequence[Proposal], at: datetime) -> None:
    Lock.objects.bulk_create(
        (
            Lock(
                proposal=proposal,
                number=1,
                digest=DIGEST,
                material={},
                results={},
                locked_by_id="0",
                locked_by="bulk",
                locked_at=at,
            )
            for proposal in proposals
        ),
        batch_size=BATCH,
    )
    CommentWindow.objects.bulk_create(
        (
            CommentWindow(
                proposal=proposal,
                kind="comment",
                text="Bulk.",
                opened_by="bulk",
                opened_at=at - DAY,
                closes_at=at + DAY,
            )
            for proposal in proposals
        ),
        batch_size=BATCH,
    )


# --- Evidence --------------------------------------------------------------------------------------------------------


def write_evidence(sizes: Sequence[ModelSize], count: int, *, at: datetime) -> None:
    """Spread so many rows over the sizes and criteria, oldest first, a version a day; the newest are accepted."""
    per_size = count // len(sizes)
    rows = (_evidence(size, number, per_size, at) for number in range(per_size) for size in sizes)
    while batch := list(islice(rows, 20 * BATCH)):
        Evidence.objects.bulk_create(batch, batch_size=BATCH)
    newest = Evidence.objects.filter(size__in=[size.pk for size in sizes]).order_by("-pk")
    reviews = (
        EvidenceReview(evidence_id=pk, verdict=ACCEPTED, signer_id="1", reviewer_id="2", reviewer="other", at=at)
        for pk in newest.values_list("pk", flat=True)[: len(sizes) * len(CRITERIA)]
    )
    EvidenceReview.objects.bulk_create(reviews, batch_size=BATCH)


def _evidence(size: ModelSize, number: int, per_size: int, at: datetime) -> Evidence:
    measured_at = at - (1 + (per_size - number) // len(CRITERIA)) * DAY
    return Evidence(
        size=size,
        criterion=CRITERIA[number % len(CRITERIA)],
        kind="measured",
        summary=f"Version {number // len(CRITERIA)} of a figure.",
        statement="What was measured, in some words that nobody reads on the page of excuses. " * 3,
        value=number % 3,
        ci_low=0,
        ci_high=3,
        n=100,
        subject_digest=f"{size.pk:064x}",
        harness="bulk 1",
        dataset="bulk",
        measured_at=measured_at,
        signer_id="1",
        signer="bulk",
        signer_kind="user",
        created_at=measured_at,
        digest=DIGEST,
    )


# --- The record ------------------------------------------------------------------------------------------------------


def write_events(slugs: Sequence[str], count: int, *, at: datetime) -> None:
    """Append a valid chain of so many events about the sizes; the last one happens at that time."""
    head = AuditHead.objects.filter(id=1).first() or AuditHead(id=1, seq=0, hash=GENESIS)
    rows = _chain(head, slugs, count, at)
    while batch := list(islice(rows, 20 * BATCH)):
        AuditEvent.objects.bulk_create(batch, batch_size=BATCH)
    head.save()


def _chain(head: AuditHead, slugs: Sequence[str], count: int, at: datetime) -> Iterator[AuditEvent]:
    for number in range(count):
        kind, data = _act(number // len(slugs), head.seq + 1)
        said: dict[str, Any] = {
            "seq": head.seq + 1,
            "at": at - (count - 1 - number) * SECOND,
            "kind": kind,
            "actor_kind": "user",
            "actor_id": str(number % 40),
            "actor_name": "bulk",
            "subject": f"size:{slugs[number % len(slugs)]}",
            "reason": "Written in bulk, with a reason of common length.",
            "data": data,
            "prev_hash": head.hash,
        }
        head.seq, head.hash = said["seq"], link_hash(said)
        yield AuditEvent(**said, hash=head.hash)


def _act(turn: int, seq: int) -> tuple[str, dict[str, Any]]:
    """What happens to a size at its so many-th turn: eight acts, then again."""
    state = ("draft", "collecting", "locked", "in_review", "approved")
    acts: tuple[tuple[str, dict[str, Any]], ...] = (
        ("stage.advanced", {"from": "registered", "to": LADDER[turn // 8 % 8].slug}),
        ("proposal.opened", {"proposal": turn // 8 + 1, "state": state[0], "target": "partner"}),
        ("proposal.collecting", {"proposal": turn // 8 + 1, "state": state[1]}),
        ("evidence.attached", {"criterion": "C07", "evidence": seq, "digest": DIGEST, "value": "0.71"}),
        ("proposal.locked", {"proposal": turn // 8 + 1, "state": state[2], "digest": DIGEST}),
        ("hold.raised", {"hold": turn // 8 + 1, "level": "hold"}),
        ("hold.released", {"hold": turn // 8 + 1}),
        ("proposal.submitted", {"proposal": turn // 8 + 1, "state": state[3]}),
    )
    return acts[turn % 8]
