"""Application."""

from __future__ import annotations

import secrets
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from release_portal.access.application_rules import DRAFT, OPEN, OURS, STATES, Answers
from release_portal.access.models.agreements import AgreementVersion
from release_portal.access.models.grants import Grant
from release_portal.access.models.programmes import ProgrammeVersion
from release_portal.access.purposes import PURPOSES
from release_portal.registry.models import ModelSize


def new_application_id() -> str:
    """Return a short public id that says nothing about how many applications there are."""
    return f"a-{secrets.token_hex(5)}"


class ApplicationQuerySet(models.QuerySet["Application"]):
    """Words for applications."""

    def filed_by(self, account_id: str) -> Self:
        """Applications of one account; an empty id filed none."""
        return self.filter(applicant_id=account_id) if account_id else self.none()

    def open(self) -> Self:
        """Applications that nobody has decided, withdrawn or let lapse."""
        return self.filter(state__in=OPEN)

    def sent(self) -> Self:
        """Applications that were submitted at some time; a draft is its writer's alone."""
        return self.exclude(submitted_at=None)

    def waiting(self) -> Self:
        """Applications that wait for a decision, the oldest promise first."""
        return self.filter(state__in=sorted(OURS)).order_by("due_at", "submitted_at", "pk")


class Application(models.Model):
    """What a researcher files to be given access to one size."""

    id = models.CharField(max_length=20, primary_key=True, default=new_application_id)
    applicant = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="applications")
    size = models.ForeignKey(ModelSize, on_delete=models.PROTECT, related_name="applications")
    renews = models.ForeignKey(Grant, on_delete=models.PROTECT, null=True, blank=True, related_name="renewals")
    state = models.CharField(max_length=16, default=DRAFT, choices=[(state, state) for state in STATES])
    purpose_code = models.CharField(max_length=3, blank=True, choices=list(PURPOSES.items()))
    purpose = models.TextField(blank=True)
    affiliation = models.CharField(max_length=200, blank=True)
    intended_use = models.TextField(blank=True)
    functions = models.JSONField(default=list)
    requested_end = models.DateField(null=True, blank=True)
    # The version whose form was filled in: it moves with a draft, and stays with what was handed in.
    programme = models.ForeignKey(ProgrammeVersion, on_delete=models.PROTECT, null=True, related_name="applications")
    form_answers = models.JSONField(default=dict)
    summary = models.TextField(blank=True)
    summary_withheld = models.CharField(max_length=200, blank=True)
    agreement = models.ForeignKey(AgreementVersion, on_delete=models.PROTECT, null=True, related_name="applications")
    agreement_hash = models.CharField(max_length=64, blank=True)
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, null=True, related_name="applications")
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()
    saved_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True)  # the decision that was promised; moves by the time spent asking
    decided_at = models.DateTimeField(null=True)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_by_name = models.CharField(max_length=150, blank=True)
    decision_code = models.CharField(max_length=30, blank=True)
    decision_text = models.TextField(blank=True)
    # A copy of what `review_desk.risk_facing` says, for sorting and searching; no decision reads it.
    tier = models.PositiveSmallIntegerField(default=0)
    people = models.PositiveSmallIntegerField(default=1)  # how many must agree, kept with the tier
    tier_basis = models.CharField(max_length=60, blank=True)  # from what it was computed; another one makes it stale
    # Who is expected to look at it next; a suggestion that opens nothing to them and closes nothing to others.
    assigned_to = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    assigned_name = models.CharField(max_length=150, blank=True)
    escalation = models.PositiveSmallIntegerField(default=0)  # percent of the promise at which people were told last
    escalates_at = models.DateTimeField(null=True)  # when somebody is told next; empty until it is worked out
    review_round = models.PositiveSmallIntegerField(default=1)  # a decision ends the round; its voices count no more
    claimed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    claimed_by_name = models.CharField(max_length=150, blank=True)
    claimed_until = models.DateTimeField(null=True)  # while it lies ahead, others wait or give a reason

    objects = ApplicationQuerySet.as_manager()

    class Meta:
        db_table = "access_application"
        ordering = ["-created_at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["applicant", "size"], condition=Q(state__in=sorted(OPEN)), name="one_open_application_per_size"
            ),
            models.CheckConstraint(
                condition=Q(state="granted", grant__isnull=False) | (~Q(state="granted") & Q(grant__isnull=True)),
                name="granted_application_has_a_grant",
            ),
            models.CheckConstraint(condition=~Q(decided_by=models.F("applicant")), name="decided_by_another"),
            models.CheckConstraint(condition=~Q(claimed_by=models.F("applicant")), name="claimed_by_another"),
            models.CheckConstraint(condition=~Q(assigned_to=models.F("applicant")), name="assigned_to_another"),
        ]
        indexes = [
            models.Index(fields=["state", "due_at"], name="application_queue"),
            models.Index(fields=["state", "tier", "due_at"], name="application_queue_by_tier"),
            models.Index(fields=["state", "escalates_at"], name="application_escalation"),
            models.Index(fields=["tier", "decided_at"], name="application_throughput"),
            models.Index(fields=["-saved_at", "id"], name="application_newest"),
        ]

    def __str__(self) -> str:
        return self.id

    def answers(self) -> Answers:
        """Return what was answered, as the rules read it."""
        return Answers(
            purpose_code=self.purpose_code,
            purpose=self.purpose,
            affiliation=self.affiliation,
            intended_use=self.intended_use,
            functions=tuple(self.functions),
            requested_end=self.requested_end,
            summary=self.summary,
            summary_withheld=self.summary_withheld,
            more=dict(self.form_answers),
        )
