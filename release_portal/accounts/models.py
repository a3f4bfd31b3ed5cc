"""User, RoleAssignment, DutyShift, ApiToken."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from django.contrib.auth.models import AbstractUser
from django.db import models

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
    """A secret that acts for its owner within scopes; only its SHA-256 is kept."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
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

    def __str__(self) -> str:
        return f"{self.prefix}... ({self.name})"

    def is_usable(self, at: datetime) -> bool:
        """Whether the token opens anything at that time."""
        return self.revoked_at is None and (self.ends_at is None or at < self.ends_at)
