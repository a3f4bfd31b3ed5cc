"""What this room holds about a person."""

from __future__ import annotations

from datetime import datetime

from release_portal.accounts.models import User
from release_portal.accounts.own_data import NOTHING_IS_KEPT, Holding, register
from release_portal.notices.models import MailOut
from release_portal.notices.retry_rules import WAITING


def declare() -> None:
    """Declare notices."""
    register(
        Holding(
            "notices",
            "Notices",
            "So that you can read again what you were told.",
            lambda user: user.notices.all(),
            ("kind", "subject", "body", "created_at", "read_at"),
            kept=NOTHING_IS_KEPT,
            erase=erase_notices,
        )
    )


def erase_notices(user: User, at: datetime) -> int:
    """Delete notices and their mail; what still waits to be sent, the last mail above all, goes a day later."""
    keys = {f"notice:{pk}": pk for pk in user.notices.values_list("pk", flat=True)}
    mail = MailOut.objects.filter(dedupe_key__in=keys)
    waiting = {keys[key] for key in mail.filter(state=WAITING).values_list("dedupe_key", flat=True)}
    mail.exclude(state=WAITING).delete()
    return user.notices.exclude(pk__in=waiting).delete()[0]
