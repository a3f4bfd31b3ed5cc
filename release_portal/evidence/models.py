"""Evidence, its reviews, and versions of the safety checklist: rows that are added and never changed."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import F, Q

from release_portal.evidence.digests import content_digest
from release_portal.evidence.facts import ACCEPTED, REJECTED, WAITING, EvidenceFacts
from release_portal.evidence.kinds import ASSURANCES, KINDS, SELF, Kind
from release_portal.registry.models import ModelSize

SIGNER_KINDS = ("user", "system")
# The columns that hold what a draft says; each has the name of the draft's field.
DRAFT_FIELDS = (
    "criterion", "kind", "summary", "statement", "value", "ci_low", "ci_high", "n", "unit", "subject_digest", "harness",
    "harness_digest", "dataset", "dataset_digest", "params", "link", "document_digest", "items", "assurance",
    "measured_at", "ttl_days",
)  # fmt: skip


class Evidence(models.Model):
    """A signed statement that bears on one criterion of a size; newer evidence supersedes it, nothing edits it.

    Triggers in the database refuse UPDATE. A change of this table on SQLite copies it and drops its triggers: such a
    migration must call `append_only.install` again, and a test of this room fails until it does.
    """

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="evidence")
    criterion = models.CharField(max_length=12)
    kind = models.CharField(max_length=12, choices=[(kind.slug, kind.label) for kind in KINDS.values()])
    summary = models.TextField()
    statement = models.TextField(blank=True)
    value = models.DecimalField(max_digits=24, decimal_places=10, null=True, blank=True)
    ci_low = models.DecimalField(max_digits=24, decimal_places=10, null=True, blank=True)
    ci_high = models.DecimalField(max_digits=24, decimal_places=10, null=True, blank=True)
    n = models.BigIntegerField(null=True, blank=True)
    unit = models.CharField(max_length=40, blank=True)
    subject_digest = models.CharField(max_length=64, blank=True)
    harness = models.CharField(max_length=200, blank=True)
    harness_digest = models.CharField(max_length=64, blank=True)
    dataset = models.CharField(max_length=200, blank=True)
    dataset_digest = models.CharField(max_length=64, blank=True)
    params = models.JSONField(default=dict, blank=True)
    link = models.CharField(max_length=500, blank=True)
    document_digest = models.CharField(max_length=64, blank=True)
    items = models.JSONField(default=list, blank=True)
    assurance = models.CharField(max_length=12, default=SELF, choices=list(ASSURANCES.items()))
    measured_at = models.DateTimeField()
    ttl_days = models.IntegerField(null=True, blank=True)

    signer_id = models.CharField(max_length=60)
    signer = models.CharField(max_length=150)
    signer_kind = models.CharField(max_length=12, choices=[(kind, kind) for kind in SIGNER_KINDS])
    created_at = models.DateTimeField()
    supersedes = models.OneToOneField(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    digest = models.CharField(max_length=64)

    class Meta:
        db_table = "evidence"
        ordering = ["pk"]
        indexes = [models.Index(fields=["size", "criterion", "id"], name="evidence_newest")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=list(KINDS)), name="evidence_kind_known"),
            models.CheckConstraint(condition=Q(assurance__in=list(ASSURANCES)), name="evidence_assurance_known"),
            models.CheckConstraint(condition=Q(signer_kind__in=SIGNER_KINDS), name="evidence_signer_kind_known"),
            models.CheckConstraint(condition=Q(n=None) | Q(n__gt=0), name="evidence_n_positive"),
            models.CheckConstraint(condition=Q(ttl_days=None) | Q(ttl_days__gt=0), name="evidence_ttl_positive"),
            models.CheckConstraint(
                condition=Q(ci_low=None, ci_high=None)
                | Q(ci_low__isnull=False, ci_high__isnull=False, ci_low__lte=F("ci_high")),
                name="evidence_interval_in_order",
            ),
            models.CheckConstraint(
                condition=Q(value=None) | Q(ci_low=None) | Q(value__gte=F("ci_low"), value__lte=F("ci_high")),
                name="evidence_value_in_interval",
            ),
            models.CheckConstraint(
                condition=Q(supersedes=None) | Q(supersedes__lt=F("id")), name="evidence_supersedes_older"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.criterion} of {self.size_id}: {self.summary[:60]}"

    @property
    def kind_of(self) -> Kind:
        """The kind with its words."""
        return KINDS[self.kind]

    @property
    def is_measured_here(self) -> bool:
        """Whether a system actor of this portal signed it."""
        return self.signer_kind == "system"

    @property
    def review(self) -> EvidenceReview | None:
        """The review that counts: the last one."""
        return max(self.reviews.all(), key=lambda review: review.pk, default=None)

    @property
    def review_state(self) -> str:
        """Waiting, accepted or rejected."""
        review = self.review
        return review.verdict if review else WAITING

    def facts(self, review: EvidenceReview | None = None) -> EvidenceFacts:
        """Return what a gate needs to know, under the review that counts."""
        return EvidenceFacts(
            id=self.pk,
            criterion=self.criterion,
            kind=self.kind,
            summary=self.summary,
            measured_at=self.measured_at,
            value=self.value,
            ci_low=self.ci_low,
            ci_high=self.ci_high,
            n=self.n,
            subject_digest=self.subject_digest,
            assurance=self.assurance,
            ttl_days=self.ttl_days,
            signer_id=self.signer_id,
            signer=self.signer,
            is_measured_here=self.is_measured_here,
            review=review.verdict if review else WAITING,
            review_reason=review.reason if review else "",
            items=tuple(self.items),
            digest=self.digest,
        )

    def content(self) -> dict[str, Any]:
        """Return what the digest covers: the draft, the size, the signature, and the digest that it supersedes."""
        said = {name: getattr(self, name) for name in DRAFT_FIELDS}
        signed = {name: getattr(self, name) for name in ("signer_id", "signer", "signer_kind", "created_at")}
        before = self.supersedes.digest if self.supersedes else ""
        return {**said, **signed, "size": self.size.slug, "supersedes": before}

    def recomputed(self) -> str:
        """Return the digest of the content as it stands; another one than `digest` means that the row was altered."""
        return content_digest(self.content())


class EvidenceReview(models.Model):
    """How a person other than the signer judged a piece of evidence; the last review counts."""

    evidence = models.ForeignKey(Evidence, on_delete=models.PROTECT, related_name="reviews")
    verdict = models.CharField(max_length=10, choices=[(ACCEPTED, ACCEPTED), (REJECTED, REJECTED)])
    reason = models.TextField(blank=True)
    signer_id = models.CharField(max_length=60)  # of the evidence: repeated here so that the database can compare
    reviewer_id = models.CharField(max_length=60)
    reviewer = models.CharField(max_length=150)
    at = models.DateTimeField()

    class Meta:
        db_table = "evidence_review"
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(reviewer_id=F("signer_id")), name="evidence_reviewed_by_another"),
            models.CheckConstraint(condition=Q(verdict__in=[ACCEPTED, REJECTED]), name="evidence_verdict_known"),
            models.CheckConstraint(condition=Q(verdict=ACCEPTED) | ~Q(reason=""), name="evidence_rejected_with_reason"),
            models.UniqueConstraint(fields=["evidence", "reviewer_id"], name="one_review_per_person"),
        ]

    def __str__(self) -> str:
        return f"{self.verdict}: evidence {self.evidence_id}"


class ChecklistVersion(models.Model):
    """One signed version of the safety checklist of a proposal; answers by item id."""

    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="checklists")
    subject = models.CharField(max_length=60)  # what it belongs to, e.g. "proposal:12"
    number = models.PositiveIntegerField()
    answers = models.JSONField(default=dict)  # {"1": {"answer": ..., "reason": ..., "evidence": [ids]}}
    signed_by_id = models.CharField(max_length=60)
    signed_by = models.CharField(max_length=150)
    signed_at = models.DateTimeField()
    digest = models.CharField(max_length=64)

    class Meta:
        db_table = "checklist_version"
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["subject", "number"], name="one_checklist_per_number")]

    def __str__(self) -> str:
        return f"checklist {self.number} of {self.subject}"

    def content(self) -> dict[str, Any]:
        """Return what the digest covers: the answers, where they belong, and the signature."""
        names = ("subject", "number", "answers", "signed_by_id", "signed_by", "signed_at")
        return {**{name: getattr(self, name) for name in names}, "size": self.size.slug}

    def recomputed(self) -> str:
        """Return the digest of the content as it stands."""
        return content_digest(self.content())
