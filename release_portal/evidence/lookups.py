"""Read evidence and checklists. The size comes from `access.lookups.size_for`: children only through their parent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Max, QuerySet

from release_portal.accounts.models import RoleAssignment
from release_portal.core.actors import Actor
from release_portal.core.decisions import Decision
from release_portal.core.errors import NotFound
from release_portal.evidence.checklist import ITEMS
from release_portal.evidence.facts import EvidenceFacts
from release_portal.evidence.models import ChecklistVersion, Evidence, EvidenceReview
from release_portal.evidence.rules import may_attach, may_review
from release_portal.registry.models import ModelSize


def decide_attach(actor: Actor) -> Decision:
    """Return whether the actor may attach evidence; for a token, by what its owner may do now."""
    if actor.scopes is None:
        return may_attach(actor)
    roles = RoleAssignment.objects.filter(user_id=actor.account_id, user__is_active=True)
    return may_attach(actor, owner_roles=frozenset(roles.values_list("role", flat=True)))


def newest_evidence(
    sizes: QuerySet[ModelSize] | Sequence[ModelSize], *, as_of: datetime | None = None
) -> dict[int, dict[str, EvidenceFacts]]:
    """Return the newest evidence by size id and criterion id, in two queries however many there are.

    Args:
        sizes: which sizes; a queryset is not read, it becomes part of the query.
        as_of: leave out what was attached or reviewed after that time.
    """
    attached = Evidence.objects.filter(size__in=sizes)
    reviews = EvidenceReview.objects.order_by("pk")
    if as_of is not None:
        attached, reviews = attached.filter(created_at__lte=as_of), reviews.filter(at__lte=as_of)
    newest = attached.order_by().values("size", "criterion").annotate(newest=Max("pk")).values("newest")
    counting = {review.evidence_id: review for review in reviews.filter(evidence__in=newest)}
    found: dict[int, dict[str, EvidenceFacts]] = {}
    for row in Evidence.objects.filter(pk__in=newest).defer("statement", "params").order_by("pk"):
        found.setdefault(row.size_id, {})[row.criterion] = row.facts(counting.get(row.pk))
    return found


def evidence_of(size: ModelSize, criterion: str | None = None) -> QuerySet[Evidence]:
    """Return the evidence of a size, or of one criterion of it, newest first, with its reviews."""
    found = Evidence.objects.filter(size=size).prefetch_related("reviews").order_by("-pk")
    return found if criterion is None else found.filter(criterion=criterion)


def evidence_for(actor: Actor, size: ModelSize, pk: int) -> Evidence:
    """Return one piece of evidence of a size that the actor was given; raises NotFound when it is of another size."""
    evidence = evidence_of(size).select_related("size", "supersedes").filter(pk=pk).first()
    if evidence is None:
        raise NotFound("This size has no such evidence.", change="Look at the list of its evidence.")
    return evidence


def evidence_to_review(actor: Actor, sizes: QuerySet[ModelSize]) -> QuerySet[Evidence]:
    """Return what others signed and nobody reviewed; what the portal measured needs no review.

    Args:
        actor: whoever asks; who may review nothing is shown nothing.
        sizes: those that the actor may see.
    """
    if not may_review(actor, ""):
        return Evidence.objects.none()
    unread = Evidence.objects.filter(size__in=sizes.order_by().values("pk"), signer_kind="user")
    waiting = unread.filter(reviews=None, superseded_by=None).exclude(signer_id=actor.id)
    return waiting.select_related("size").order_by("pk")


def newest_checklist(size: ModelSize, subject: str) -> ChecklistVersion | None:
    """Return the newest version of a subject's checklist, or None before the first."""
    return checklists_of(size, subject).first()


def checklists_of(size: ModelSize, subject: str) -> QuerySet[ChecklistVersion]:
    """Return every version of a subject's checklist, newest first."""
    return ChecklistVersion.objects.filter(size=size, subject=subject).order_by("-number")


@dataclass(frozen=True)
class ItemChange:
    """How one item differs between two versions; None where it was not answered."""

    item: int
    old: dict[str, object] | None
    new: dict[str, object] | None


def checklist_diff(old: ChecklistVersion | None, new: ChecklistVersion) -> list[ItemChange]:
    """Return the items whose answers differ, in the order of the checklist."""
    before = old.answers if old else {}
    pairs = ((item.id, before.get(str(item.id)), new.answers.get(str(item.id))) for item in ITEMS)
    return [ItemChange(number, then, now) for number, then, now in pairs if then != now]
