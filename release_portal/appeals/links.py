"""The link in a notice by which its reader appeals without signing in; only a digest of it is stored."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.conf import settings

from release_portal.accounts.models import User
from release_portal.appeals.models import AppealLink
from release_portal.core.link_tokens import digest_of, new_token
from release_portal.notices.services import notify


def notify_with_appeal(
    recipient: User, kind: str, context: Mapping[str, str], *, subject: str, at: datetime, path: str
) -> None:
    """Tell somebody of a decision; their mail, and nothing else, holds a new single-use link to appeal.

    Args:
        recipient: whom the decision is about.
        kind: kind of the notice.
        context: what its text names.
        subject: the decision, e.g. `grant:g-12:suspension:3`.
        at: the time of the decision.
        path: page on which the recipient reads of it.
    """
    token = new_token()
    link = f"To appeal without signing in, within six months: {settings.PUBLIC_URL}/appeals/link/{token}/"
    notice = notify(recipient, kind, context, at=at, path=path, mail_only=link)
    AppealLink.objects.create(subject=subject, account=recipient, digest=digest_of(token), notice=notice, created_at=at)
