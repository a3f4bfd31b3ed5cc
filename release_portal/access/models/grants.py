"""Grant, Suspension and UsageDay."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import TYPE_CHECKING, Self

from django.apps import apps
from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef, Q

from release_portal.access.grant_rules import (
    ACTIVE,
    ENDED_STATES,
    EXPIRED,
    SCHEDULED,
    STORED,
    SUSPENDED,
    GrantFacts,
    Pause,
    state_at,
)
from release_portal.access.quota import Limits
from release_portal.access.sampler_rules import Span, read_bounds
from release_portal.access.scope_rules import Scope
from release_portal.registry.models import ModelSize

if TYPE_CHECKING:
    from release_portal.access.models.people import SeatQuerySet


def new_grant_id() -> str:
    """Return a short public id that says nothing about how many grants there are."""
    return f"g-{secrets.token_hex(5)}"


def _seats_of(account_id: str) -> SeatQuerySet:
    """Seats stand in a file that needs this one, so they are asked for by name."""
    found: SeatQuerySet = apps.get_model("access", "Seat").objects.of_person(account_id)
    return found


class GrantQuerySet(models.QuerySet["Grant"]):
    """Words for grants."""

    def held_by(self, account_id: str) -> Self:
        """Grants of one account; an empty id holds none."""
        return self.filter(holder_id=account_id) if account_id else self.none()

    def in_force(self, at: datetime) -> Self:
        """Grants that are active at that time, whether or not anybody swept up."""
        return self.filter(state__in=("active", "scheduled"), starts_at__lte=at, ends_at__gt=at)

    def usable_by(self, account_id: str, at: datetime) -> Self:
        """Grants in force that the account may use then: by a seat, or as holder where there is no cohort."""
        if not account_id:
            return self.none()
        seats = _seats_of(account_id).usable(at)
        holds = Q(holder_id=account_id, cohort=None)
        return self.in_force(at).filter(holds | Exists(seats.filter(grant=OuterRef("pk"))))

    def seen_by(self, account_id: str) -> Self:
        """Grants that the account holds or has a seat on."""
        if not account_id:
            return self.none()
        seats = _seats_of(account_id).that_ever_opened()
        return self.filter(Q(holder_id=account_id) | Exists(seats.filter(grant=OuterRef("pk"))))

    def standing_as(self, state: str, at: datetime) -> Self:
        """Grants in that state at that time; the same as `grant_rules.state_at`, said to the database."""
        running = ~Q(state__in=ENDED_STATES)
        if state == EXPIRED:
            return self.filter(Q(state=EXPIRED) | (running & Q(ends_at__lte=at)))
        if state in ENDED_STATES:
            return self.filter(state=state)
        if state in (ACTIVE, SCHEDULED):
            begun = Q(starts_at__lte=at) if state == ACTIVE else Q(starts_at__gt=at)
            return self.filter(begun, state__in=(ACTIVE, SCHEDULED), ends_at__gt=at)
        return self.filter(state=state, ends_at__gt=at)

    def covering(self, function: str) -> Self:
        """Grants that name a function."""
        return self.filter(functions__name=function)


class Grant(models.Model):
    """What a researcher holds: sizes, functions, purpose, quota, and an end."""

    id = models.CharField(max_length=20, primary_key=True, default=new_grant_id)
    holder = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="grants")
    kind = models.CharField(
        max_length=10, default="research", choices=[("research", "research"), ("partner", "partner")]
    )
    sizes = models.ManyToManyField(ModelSize, related_name="grants")
    purpose = models.TextField()
    purposes = models.JSONField(default=list, blank=True)  # codes; a grant of before codes has none
    sampler = models.JSONField(default=dict, blank=True)  # setting -> [least, most]
    state = models.CharField(max_length=12, default=ACTIVE, choices=[(state, state) for state in STORED])
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    tokens_per_day = models.PositiveIntegerField()
    requests_per_minute = models.PositiveIntegerField()
    concurrent = models.PositiveIntegerField()
    version = models.PositiveIntegerField(default=1)
    ended_at = models.DateTimeField(null=True)  # when it expired, was given up or revoked; the close-out counts from it
    created_at = models.DateTimeField()

    objects = GrantQuerySet.as_manager()

    class Meta:
        db_table = "access_grant"
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="grant_ends_after_start")
        ]

    def __str__(self) -> str:
        return self.id

    def facts(self, pauses: tuple[Pause, ...] = ()) -> GrantFacts:
        """Return what the policy needs to know; reads prefetched rows where there are any.

        Args:
            pauses: what rests it for whoever asks, from `pausing`.
        """
        open_one = self.open_suspension
        return GrantFacts(
            id=self.id,
            state=self.state,
            kind=self.kind,
            functions=frozenset(function.name for function in self.functions.all()),
            starts_at=self.starts_at,
            ends_at=self.ends_at,
            suspended_reason=open_one.reason if open_one else "",
            pauses=pauses,
        )

    def bounds(self) -> dict[str, Span]:
        """Return how far sampler settings may go."""
        return read_bounds(self.sampler)

    def scope(self) -> Scope:
        """Return what it opens, as the rules of narrowing read it."""
        limits = Limits(self.tokens_per_day, self.requests_per_minute, self.concurrent)
        functions = frozenset(function.name for function in self.functions.all())
        return Scope(functions, frozenset(self.purposes), limits, self.bounds())

    def state_at(self, at: datetime, pauses: tuple[Pause, ...] = ()) -> str:
        """Return the state that counts at that time; without pauses, what people and the clock made of it."""
        return state_at(self.facts(pauses), at)

    @property
    def open_suspension(self) -> Suspension | None:
        """The suspension in force, if the grant is suspended."""
        if self.state != SUSPENDED:
            return None
        return next((one for one in self.suspensions.all() if one.ended_at is None), None)


class GrantFunction(models.Model):
    """A function that a grant opens: generate, detect, weights."""

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="functions")
    name = models.CharField(max_length=20)

    class Meta:
        db_table = "grant_function"
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["grant", "name"], name="function_once_per_grant")]

    def __str__(self) -> str:
        return self.name


class Suspension(models.Model):
    """One officer took a grant back for now; another confirms or lifts it, else it lapses."""

    grant = models.ForeignKey(Grant, on_delete=models.CASCADE, related_name="suspensions")
    state_before = models.CharField(max_length=12)
    reason = models.TextField()
    by_id = models.CharField(max_length=60)
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField()
    confirmed_by_id = models.CharField(max_length=60, blank=True)
    confirmed_by_name = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by_name = models.CharField(max_length=150, blank=True)
    end_reason = models.TextField(blank=True)
    engagement_clause = models.CharField(max_length=2, blank=True)  # the act lay inside the rules of engagement
    further_reason = models.TextField(blank=True)  # why it was suspended all the same

    class Meta:
        db_table = "suspension"
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(
                fields=["grant"], condition=models.Q(ended_at=None), name="one_open_suspension_per_grant"
            ),
            models.CheckConstraint(
                condition=models.Q(confirmed_by_id="") | ~models.Q(confirmed_by_id=models.F("by_id")),
                name="suspension_confirmed_by_another",
            ),
        ]

    def __str__(self) -> str:
        return f"suspension of {self.grant_id}"


class UsageDay(models.Model):
    """Tokens used by one grant (or account) on one UTC day: what ended jobs were charged."""

    holder = models.CharField(max_length=60)  # "grant:<id>" or "account:<id>"
    day = models.DateField()
    used = models.PositiveBigIntegerField(default=0)

    class Meta:
        db_table = "usage_day"
        constraints = [models.UniqueConstraint(fields=["holder", "day"], name="one_usage_row_per_day")]

    def __str__(self) -> str:
        return f"{self.holder} on {self.day}: {self.used}"
