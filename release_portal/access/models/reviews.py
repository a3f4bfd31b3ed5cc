"""ReviewVote and Advice."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from release_portal.access.conditions import Conditions
from release_portal.access.extra_terms import read
from release_portal.access.models.applications import Application
from release_portal.access.quota import Limits
from release_portal.access.review_rules import VERDICTS
from release_portal.access.sampler_rules import read_bounds


class ReviewVote(models.Model):
    """One person's voice on an application of tier 2 or 3; never changed, counted while the role is held."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="votes")
    voter = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="review_votes")
    review_round = models.PositiveSmallIntegerField()
    content = models.CharField(max_length=64, blank=True)  # digest of what the applicant had said; counts on that alone
    voter_name = models.CharField(max_length=150)
    role = models.CharField(max_length=30)
    verdict = models.CharField(max_length=10, choices=[(verdict, verdict) for verdict in VERDICTS])
    code = models.CharField(max_length=30, blank=True)
    text = models.TextField(blank=True)
    functions = models.JSONField(default=list)
    last_day = models.DateField(null=True)
    tokens_per_day = models.PositiveIntegerField(default=0)
    requests_per_minute = models.PositiveIntegerField(default=0)
    concurrent = models.PositiveIntegerField(default=0)
    terms = models.JSONField(default=list)
    sampler = models.JSONField(default=dict, blank=True)
    seats = models.PositiveSmallIntegerField(null=True)  # of a cohort; empty: as many as were asked for
    at = models.DateTimeField()

    class Meta:
        db_table = "application_vote"
        ordering = ["at", "pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["application", "voter", "review_round", "content"], name="one_voice_per_person"
            ),
            models.CheckConstraint(condition=Q(verdict__in=VERDICTS), name="voice_is_for_or_against"),
        ]

    def __str__(self) -> str:
        return f"voice of {self.voter_id} on {self.application_id}"

    def conditions(self) -> Conditions:
        """Return under which conditions the person approved."""
        limits = Limits(self.tokens_per_day, self.requests_per_minute, self.concurrent)
        terms, sampler = read(self.terms), read_bounds(self.sampler)
        return Conditions(tuple(self.functions), self.last_day, limits, terms, sampler, self.seats)


class Advice(models.Model):
    """A note of somebody who may review; it decides nothing and counts for nothing."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="advice")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="advice_given")
    by_name = models.CharField(max_length=150)
    role = models.CharField(max_length=30)
    text = models.TextField()
    at = models.DateTimeField()

    class Meta:
        db_table = "application_advice"
        ordering = ["at", "pk"]

    def __str__(self) -> str:
        return f"advice on {self.application_id}"
