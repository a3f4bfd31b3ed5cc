"""GrantTerm and TermsOffer."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models import Q

from release_portal.access.conditions import Conditions
from release_portal.access.extra_terms import Term, digest_of, read
from release_portal.access.models.applications import Application
from release_portal.access.models.grants import Grant
from release_portal.access.quota import Limits
from release_portal.access.sampler_rules import read_bounds, stored


class TermsOfferQuerySet(models.QuerySet["TermsOffer"]):
    """Words for offers."""

    def waiting(self) -> TermsOfferQuerySet:
        """Offers that nobody has answered or taken back."""
        return self.filter(accepted_at=None, ended_at=None)


class TermsOffer(models.Model):
    """Extra terms that somebody must accept before they count: with an approval, or for a grant that runs."""

    application = models.ForeignKey(Application, on_delete=models.CASCADE, null=True, related_name="offers")
    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, null=True, related_name="offers")
    terms = models.JSONField()
    digest = models.CharField(max_length=64)
    reason = models.TextField(blank=True)
    functions = models.JSONField(default=list)
    last_day = models.DateField(null=True)
    tokens_per_day = models.PositiveIntegerField(default=0)
    requests_per_minute = models.PositiveIntegerField(default=0)
    concurrent = models.PositiveIntegerField(default=0)
    sampler = models.JSONField(default=dict, blank=True)
    seats = models.PositiveSmallIntegerField(null=True)  # of a cohort; empty: as many as were asked for
    offered_by_id = models.CharField(max_length=60)
    offered_by = models.CharField(max_length=150)
    offered_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)  # declined, withdrawn or lapsed
    end_reason = models.CharField(max_length=200, blank=True)

    objects = TermsOfferQuerySet.as_manager()

    class Meta:
        db_table = "terms_offer"
        ordering = ["-offered_at", "-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(application__isnull=True) ^ Q(grant__isnull=True), name="offer_is_for_one_thing"
            ),
            models.UniqueConstraint(
                fields=["application"], condition=Q(accepted_at=None, ended_at=None), name="one_offer_per_application"
            ),
            models.UniqueConstraint(
                fields=["grant"], condition=Q(accepted_at=None, ended_at=None), name="one_offer_per_grant"
            ),
        ]

    def __str__(self) -> str:
        return f"terms for {self.subject}"

    @property
    def subject(self) -> str:
        """What it is for, as its digest names it."""
        return f"application:{self.application_id}" if self.application_id else f"grant:{self.grant_id}"

    @property
    def is_intact(self) -> bool:
        """Whether the terms still are what was shown."""
        return digest_of(self.subject, self.read()) == self.digest

    def read(self) -> tuple[Term, ...]:
        """Return the terms, as the rules read them."""
        return read(self.terms)

    def conditions(self) -> Conditions:
        """Return what the approval gives once the terms are accepted."""
        limits = Limits(self.tokens_per_day, self.requests_per_minute, self.concurrent)
        terms, sampler = self.read(), read_bounds(self.sampler)
        return Conditions(tuple(self.functions), self.last_day, limits, terms, sampler, self.seats)


def given(conditions: Conditions) -> dict[str, Any]:
    """Return conditions as columns."""
    limits = conditions.limits
    return {
        "functions": sorted(set(conditions.functions)),
        "last_day": conditions.last_day,
        "tokens_per_day": limits.tokens_per_day,
        "requests_per_minute": limits.requests_per_minute,
        "concurrent": limits.concurrent,
        "sampler": stored(conditions.sampler),
        "seats": conditions.seats,
    }


class GrantTerm(models.Model):
    """A modifier of one grant: from its programme, or from an offer that the holder accepted."""

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="terms")
    code = models.CharField(max_length=3)
    value = models.CharField(max_length=200, blank=True)
    offer = models.ForeignKey(TermsOffer, on_delete=models.PROTECT, null=True, related_name="accepted_terms")

    class Meta:
        db_table = "grant_term"
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["grant", "code"], name="term_once_per_grant")]

    def __str__(self) -> str:
        return f"{self.code} of {self.grant_id}"

    def read(self) -> Term:
        """Return the term as the rules read it."""
        return Term(self.code, self.value)
