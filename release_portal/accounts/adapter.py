"""What the portal changes in the sign-up and login library."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from django.db import transaction
from django.http import HttpRequest

from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.accounts.services import subject_of
from release_portal.audit.services import record
from release_portal.core.clock import now


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Records each new account."""

    def save_user(self, request: HttpRequest, user: User, form: Any, commit: bool = True) -> User:
        """Store the new account and its event in one transaction."""
        with transaction.atomic():
            saved: User = super().save_user(request, user, form, commit)
            if commit:
                record(
                    "account.created",
                    actor=actor_of(saved),
                    subject=subject_of(saved),
                    at=now(),
                    data={"account": saved.username},
                )
        return saved
