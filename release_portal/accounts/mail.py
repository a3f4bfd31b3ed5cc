"""Whether somebody has shown that a mail address is theirs."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from release_portal.accounts.models import User


def is_mail_confirmed(user: User) -> bool:
    """Return whether the account's present address was confirmed by its link."""
    return bool(EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists())
