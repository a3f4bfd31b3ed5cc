"""Attestation."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from release_portal.access.application_rules import DRAFT, OPEN
from release_portal.access.attestations.rules import CONFIRMED, EXPIRED, KINDS, LIVE, MOST_SWAPS, NAMED, PENDING, STATES
from release_portal.access.models.applications import Application
from release_portal.notices.models import MailOut


def new_attestation_id() -> str:
    """Return a short public id; it opens nothing."""
    return f"v-{secrets.token_hex(5)}"


class AttestationQuerySet(models.QuerySet["Attestation"]):
    """Words for attestations."""

    def answerable(self, at: datetime) -> Self:
        """Requests whose link works: not answered, not too late, for an application that is still open."""
        sent = OPEN - {DRAFT}
        return self.filter(state__in=sorted(LIVE), expires_at__gt=at, application__state__in=sorted(sent))

    def unended(self) -> Self:
        """Requests that nobody answered, cancelled or ended."""
        return self.filter(state__in=sorted(PENDING))

    def living(self, at: datetime) -> Self:
        """Confirmations that still count for what they confirmed."""
        return self.filter(state=CONFIRMED, valid_until__gt=at, forgotten_at=None)


class Attestation(models.Model):
    """Somebody outside the application is asked to vouch for it, once, by a mailed link."""

    id = models.CharField(max_length=20, primary_key=True, default=new_attestation_id)
    application = models.ForeignKey(Application, on_delete=models.CASCADE, related_name="attestations")
    kind = models.CharField(max_length=12, choices=[(kind, kind) for kind in KINDS])
    state = models.CharField(max_length=10, default=NAMED, choices=[(state, state) for state in STATES])
    version = models.PositiveIntegerField(default=1)
    name = models.CharField(max_length=100, blank=True)
    mail = models.EmailField(blank=True)
    mailbox = models.CharField(max_length=320, blank=True, db_index=True)  # one spelling for all of one address
    domain = models.CharField(max_length=253, blank=True)  # of the institution that the officer signs for
    stated_relation = models.CharField(max_length=20, blank=True)  # what the applicant says
    number = models.PositiveSmallIntegerField(default=1)  # of this kind in this application; the highest counts
    swap_number = models.PositiveSmallIntegerField(default=0)  # the how-manieth swap made it; 0: none did
    reuses = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="+")
    named_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    mailed_at = models.DateTimeField(null=True)
    mails = models.PositiveSmallIntegerField(default=0)
    resent = models.PositiveSmallIntegerField(default=0)
    reminded = models.PositiveSmallIntegerField(default=0)  # days after which the last reminder was due
    link_digest = models.CharField(max_length=64, blank=True)  # of the link in the newest mail; gone when it is dead
    link_mail = models.ForeignKey(MailOut, on_delete=models.SET_NULL, null=True, related_name="+")
    opened_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_with_application = models.BooleanField(default=False)
    statement = models.TextField(blank=True)  # the text that was confirmed
    statement_digest = models.CharField(max_length=64, blank=True)
    relation = models.CharField(max_length=20, blank=True)  # what the attester says
    since = models.PositiveSmallIntegerField(null=True)
    words = models.TextField(blank=True)  # for reviewers; the applicant never reads them
    valid_until = models.DateTimeField(null=True)
    forgotten_at = models.DateTimeField(null=True)

    objects = AttestationQuerySet.as_manager()

    class Meta:
        db_table = "attestation"
        ordering = ["number", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["application", "kind", "number"], name="attestation_number_once"),
            models.UniqueConstraint(
                fields=["application", "kind"],
                condition=Q(state__in=sorted(PENDING)),
                name="one_pending_attestation_per_kind",
            ),
            models.UniqueConstraint(
                fields=["application", "kind", "swap_number"],
                condition=Q(swap_number__gt=0),
                name="attestation_swap_once",
            ),
            models.UniqueConstraint(
                fields=["link_digest"], condition=~Q(link_digest=""), name="one_attestation_per_link"
            ),
            models.CheckConstraint(condition=Q(swap_number__lte=MOST_SWAPS), name="attestation_swaps_are_few"),
            models.CheckConstraint(
                condition=Q(link_digest="") | Q(state__in=sorted(LIVE)), name="attestation_link_dies_with_the_request"
            ),
            models.CheckConstraint(
                condition=~Q(state=CONFIRMED) | (~Q(statement_digest="") & Q(valid_until__isnull=False)),
                name="confirmation_names_what_and_until",
            ),
        ]

    def __str__(self) -> str:
        return self.id

    def state_at(self, at: datetime) -> str:
        """Return the state that counts: a request that is too late has expired, also when nobody wrote it down."""
        is_late = self.state in LIVE and self.expires_at is not None and at >= self.expires_at
        return EXPIRED if is_late else self.state
