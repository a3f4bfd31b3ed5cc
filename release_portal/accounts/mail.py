"""Whether somebody has shown that a mail address is theirs."""

from __future__ import annotations

from allauth.account.models import EmailAddress

from release_portal.accounts.models import User
from release_portal.core.actors import Actor


def is_mail_confirmed(user: User) -> bool:
    """Return whether the account's present address was confirmed by its link."""
    return bool(EmailAddress.objects.filter(user=user, email__iexact=user.email, verified=True).exists())


def has_mail(actor: Actor, mail: str) -> bool:
    """Return whether the address is one of the person's account, confirmed or not."""
    return bool(EmailAddress.objects.filter(user_id=actor.account_id, email__iexact=mail).exists())


def has_confirmed_mail(actor: Actor, mail: str) -> bool:
    """Return whether the person showed that they read mail at this address."""
    return bool(EmailAddress.objects.filter(user_id=actor.account_id, email__iexact=mail, verified=True).exists())
