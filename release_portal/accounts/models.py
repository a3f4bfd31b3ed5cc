"""User, RoleAssignment, DutyShift, ApiToken, Look, Deletion."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.auth.models import AbstractUser
from django.db import models

from release_portal.accounts.deletion_rules import ASKED, STATES
from release_portal.accounts.roles import Role


class User(AbstractUser):
    """An account; what it may do comes from roles and grants, never from is_staff or is_superuser."""

    email = models.EmailField(unique=True)
    is_demo = models.BooleanField(default=False)

    class Meta:
        db_table = "account"

    def __str__(self) -> str:
        return self.username

    @property
    def name(self) -> str:
        """What people read."""
        return self.get_full_name() or self.username


class RoleAssignment(models.Model):
    """A role that a person holds now; history is in the audit log."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_assignments")
    role = models.CharField(max_length=30, choices=[(role.value, role.label) for role in Role])
    given_at = models.DateTimeField()
    given_by = models.CharField(max_length=150)

    class Meta:
        db_table = "role_assignment"
        ordering = ["role"]
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="role_once_per_person")]

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"


class DutyShiftQuerySet(models.QuerySet["DutyShift"]):
    """Words for shifts."""

    def running(self, at: datetime) -> Self:
        """Shifts that have begun and not ended."""
        return self.filter(starts_at__lte=at, ends_at__gt=at)

    def not_over(self, at: datetime) -> Self:
        """Shifts that run or are to come."""
        return self.filter(ends_at__gt=at)


class DutyShift(models.Model):
    """A time in which a duty officer can be reached and acts; while a size is widened, enough of them must be there."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="duty_shifts")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    added_by = models.CharField(max_length=150)

    objects = DutyShiftQuerySet.as_manager()

    class Meta:
        db_table = "duty_shift"
        ordering = ["starts_at", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(ends_at__gt=models.F("starts_at")), name="shift_ends_after_start")
        ]

    def __str__(self) -> str:
        return f"{self.user} on duty from {self.starts_at:%Y-%m-%d}"


class ApiTokenQuerySet(models.QuerySet["ApiToken"]):
    """Words for tokens."""

    def usable(self, at: datetime) -> Self:
        """Tokens that are neither revoked nor past their end."""
        return self.filter(revoked_at=None).filter(models.Q(ends_at=None) | models.Q(ends_at__gt=at))


class ApiToken(models.Model):
    """A secret that acts for its owner within scopes; only its SHA-256 is kept.

    A token of a service names the program that acts: the record says which of its owner's programs did it.
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    service = models.CharField(max_length=40, blank=True)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    objects = ApiTokenQuerySet.as_manager()

    class Meta:
        db_table = "api_token"
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(service="") | models.Q(ends_at__isnull=False), name="service_token_ends"
            )
        ]

    def __str__(self) -> str:
        return f"{self.prefix}... ({self.name})"

    def is_usable(self, at: datetime) -> bool:
        """Whether the token opens anything at that time."""
        return self.revoked_at is None and (self.ends_at is None or at < self.ends_at)


class Look(models.Model):
    """Somebody with a role opened something about a person; repeated looks within an hour are one."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="looks")
    by_id = models.CharField(max_length=60)
    by_name = models.CharField(max_length=150)
    roles = models.CharField(max_length=200)
    what = models.CharField(max_length=12)
    subject = models.CharField(max_length=80)
    at = models.DateTimeField()
    hour = models.DateTimeField()  # of two looks at once one is written

    class Meta:
        db_table = "look"
        ordering = ["-at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["person", "by_id", "subject", "hour"], name="one_look_an_hour")]

    def __str__(self) -> str:
        return f"{self.by_name} looked at {self.subject}"


class Deletion(models.Model):
    """Somebody asks that their account be deleted; it waits, can be called back, and is then carried out."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="deletions")
    state = models.CharField(max_length=12, default=ASKED, choices=[(state, state) for state in STATES])
    asked_at = models.DateTimeField()
    due_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    erased = models.JSONField(default=dict)  # kind of holding -> how many rows

    class Meta:
        db_table = "deletion"
        ordering = ["-asked_at", "-pk"]
        constraints = [
            models.UniqueConstraint(fields=["user"], condition=models.Q(state=ASKED), name="one_open_deletion")
        ]

    def __str__(self) -> str:
        return f"deletion of {self.user_id}: {self.state}"
