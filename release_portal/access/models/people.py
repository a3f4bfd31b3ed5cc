"""Cohort, Seat and SeatSuspension."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from release_portal.access.grant_rules import EXPIRED, SUSPENDED, GrantFacts
from release_portal.access.models.agreements import Signature
from release_portal.access.models.applications import Application
from release_portal.access.models.grants import Grant
from release_portal.access.people import cohort_rules, seat_rules
from release_portal.access.people.seat_rules import (
    INVITED,
    JOINED,
    SEATED,
    TAKEN,
    SeatFacts,
    seat_state_at,
    through_seat,
)


class Cohort(models.Model):
    """A lab or a class: how many people may use one grant, until when, and who looks after them."""

    application = models.OneToOneField(Application, on_delete=models.PROTECT, related_name="cohort")
    grant = models.OneToOneField(Grant, on_delete=models.PROTECT, null=True, related_name="cohort")
    kind = models.CharField(max_length=6, choices=list(cohort_rules.KINDS.items()))
    seats = models.PositiveSmallIntegerField()
    first_day = models.DateField(null=True)
    last_day = models.DateField(null=True)
    state = models.CharField(
        max_length=10, default=cohort_rules.PROPOSED, choices=[(state, state) for state in cohort_rules.STATES]
    )
    starts_at = models.DateTimeField(null=True)  # fixed, like the end, when access is approved
    ends_at = models.DateTimeField(null=True)
    lead = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="cohorts_led")
    deputy = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    without_lead_since = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        db_table = "cohort"
        ordering = ["-created_at", "pk"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state__in=sorted(cohort_rules.RUNNING))
                | Q(grant__isnull=False, starts_at__isnull=False, ends_at__isnull=False, lead__isnull=False),
                name="running_cohort_has_grant_end_and_lead",
            ),
            models.CheckConstraint(condition=Q(deputy=None) | ~Q(deputy=F("lead")), name="deputy_is_another_person"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} of {self.application_id}"

    @property
    def pauses_at(self) -> datetime | None:
        """When it pauses for want of a lead, if it has none."""
        return cohort_rules.pauses_at(self.without_lead_since)

    @property
    def has_lead(self) -> bool:
        """Whether somebody leads it now; whose account is closed does not, also before anybody noted it."""
        return self.without_lead_since is None and self.lead is not None and self.lead.is_active

    def state_at(self, at: datetime) -> str:
        """Return the state that counts at that time, whether or not anybody swept up."""
        if self.state not in cohort_rules.RUNNING:
            return self.state
        if self.ends_at is not None and at >= self.ends_at:
            return cohort_rules.CLOSED
        return cohort_rules.PAUSED if self.pauses_at is not None and at >= self.pauses_at else cohort_rules.ACTIVE


class SeatQuerySet(models.QuerySet["Seat"]):
    """Words for seats."""

    def taken(self, at: datetime) -> Self:
        """Seats that count: joined, or invited and not over."""
        return self.filter(state__in=sorted(TAKEN)).filter(Q(ends_at=None) | Q(ends_at__gt=at))

    def of_person(self, account_id: str) -> Self:
        """Seats that one account took; an empty id took none."""
        return self.filter(person_id=account_id) if account_id else self.none()

    def usable(self, at: datetime) -> Self:
        """Seats through which a grant may be used at that time: joined, signed, in their own and the cohort's time."""
        open_cohort = Q(
            grant__cohort__state__in=sorted(cohort_rules.RUNNING),
            grant__cohort__starts_at__lte=at,
            grant__cohort__ends_at__gt=at,
        )
        has_lead = Q(grant__cohort__without_lead_since=None) | Q(
            grant__cohort__without_lead_since__gt=at - cohort_rules.WITHOUT_LEAD
        )
        found = self.filter(state=JOINED, signature__isnull=False).filter(Q(ends_at=None) | Q(ends_at__gt=at))
        return found.filter(Q(grant__cohort=None) | (open_cohort & has_lead))

    def that_ever_opened(self) -> Self:
        """Seats by which a grant can be explained: those in use, stopped or ended; not those given up or taken."""
        return self.filter(state__in=(*sorted(SEATED), EXPIRED), grant__isnull=False)


class Seat(models.Model):
    """One person's place on an application, and then on the grant: invited by mail, taken with an own signature."""

    application = models.ForeignKey(Application, on_delete=models.PROTECT, null=True, related_name="seats")
    grant = models.ForeignKey(Grant, on_delete=models.PROTECT, null=True, related_name="seats")
    mail = models.CharField(max_length=seat_rules.LONGEST_MAIL)  # small letters; the only address that may join
    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="seats")
    signature = models.ForeignKey(Signature, on_delete=models.PROTECT, null=True, related_name="seats")
    affiliation = models.CharField(max_length=seat_rules.LONGEST_AFFILIATION, blank=True)
    state = models.CharField(max_length=10, default=INVITED, choices=[(state, state) for state in seat_rules.STATES])
    link_digest = models.CharField(max_length=64, null=True, unique=True)  # noqa: DJ001 - NULL: no link, never equal
    invited_by_id = models.CharField(max_length=60)
    invited_by_name = models.CharField(max_length=150)
    invited_at = models.DateTimeField()
    joined_at = models.DateTimeField(null=True)
    until = models.DateField(null=True)  # last day of this seat alone, where it is shorter than the others
    ends_at = models.DateTimeField(null=True)  # of the invitation while invited, of the seat once it is taken
    ended_at = models.DateTimeField(null=True)
    ended_by_name = models.CharField(max_length=150, blank=True)
    end_reason = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=1)

    objects = SeatQuerySet.as_manager()

    class Meta:
        db_table = "seat"
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(application__isnull=False) | Q(grant__isnull=False), name="seat_is_on_something"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=sorted(SEATED))
                | Q(person__isnull=False, signature__isnull=False, joined_at__isnull=False),
                name="nobody_sits_without_own_signature",
            ),
            models.CheckConstraint(
                condition=Q(state=INVITED) | Q(link_digest=None), name="a_link_lives_as_long_as_its_invitation"
            ),
            models.UniqueConstraint(
                fields=["grant", "mail"],
                condition=Q(state__in=sorted(TAKEN), grant__isnull=False),
                name="one_seat_per_mail_and_grant",
            ),
            models.UniqueConstraint(
                fields=["application", "mail"],
                condition=Q(state__in=sorted(TAKEN), grant__isnull=True),
                name="one_seat_per_mail_and_application",
            ),
            models.UniqueConstraint(
                fields=["grant", "person"],
                condition=Q(state__in=sorted(SEATED), grant__isnull=False),
                name="one_seat_per_person_and_grant",
            ),
            models.UniqueConstraint(
                fields=["application", "person"],
                condition=Q(state__in=sorted(SEATED), grant__isnull=True),
                name="one_seat_per_person_and_application",
            ),
        ]
        indexes = [
            models.Index(fields=["person", "state"], name="seat_of_person"),
            models.Index(fields=["state", "ends_at"], name="seat_ending"),
        ]

    def __str__(self) -> str:
        return f"seat {self.pk}"

    def state_at(self, at: datetime) -> str:
        """Return the state that counts at that time, whether or not anybody swept up."""
        return seat_state_at(self.state, self.ends_at, at)

    @property
    def name(self) -> str:
        """What others on the grant read: the person's name, or the address while nobody joined."""
        return self.person.name if self.person else self.mail

    @property
    def open_suspension(self) -> SeatSuspension | None:
        """The suspension in force, if the seat is suspended."""
        if self.state != SUSPENDED:
            return None
        return next((one for one in self.suspensions.all() if one.ended_at is None), None)

    def facts(self, grant: Grant) -> GrantFacts:
        """Return the grant as the policy knows it for this member; reads prefetched rows where there are any."""
        suspension, cohort = self.open_suspension, cohort_of(grant)
        ends = [self.ended_at if self.state == EXPIRED else self.ends_at]
        ends += [cohort.ends_at] if cohort else []
        has_closed = cohort is not None and cohort.state not in cohort_rules.RUNNING
        seat = SeatFacts(
            id=self.pk,
            state=EXPIRED if has_closed else self.state,
            starts_at=cohort.starts_at if cohort else None,
            ends_at=min((one for one in ends if one is not None), default=None),
            suspended_reason=suspension.reason if suspension else "",
            pauses_at=cohort.pauses_at if cohort else None,
        )
        return through_seat(grant.facts(), seat)


def cohort_of(grant: Grant) -> Cohort | None:
    """Return the cohort of a grant, if it is one of a cohort."""
    return getattr(grant, "cohort", None)


class SeatSuspension(models.Model):
    """One officer took one member's seat back for now; another confirms or lifts it, else it lapses."""

    seat = models.ForeignKey(Seat, on_delete=models.CASCADE, related_name="suspensions")
    reason = models.TextField()
    by_id = models.CharField(max_length=60)
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    confirmed_by_id = models.CharField(max_length=60, blank=True)
    confirmed_by_name = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    ended_by_name = models.CharField(max_length=150, blank=True)
    end_reason = models.TextField(blank=True)

    class Meta:
        db_table = "seat_suspension"
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["seat"], condition=Q(ended_at=None), name="one_open_suspension_per_seat"),
            models.CheckConstraint(
                condition=Q(confirmed_by_id="") | ~Q(confirmed_by_id=F("by_id")),
                name="seat_suspension_confirmed_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"suspension of seat {self.seat_id}"
