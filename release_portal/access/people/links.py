"""The link in an invitation: single use, for one address, 21 days; only its digest is stored."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from release_portal.access.models import Seat
from release_portal.notices.services import mail_outsider


def mail_invitation(seat: Seat, token: str, *, purpose: str, at: datetime) -> None:
    """Send the link to the address that is invited, and to nobody else; it stands in no notice and in no record."""
    assert seat.ends_at is not None
    facts = {"by": seat.invited_by_name, "purpose": purpose, "until": f"{seat.ends_at:%d %B %Y}"}
    link = f"To answer: {settings.PUBLIC_URL}/invitations/link/{token}/"
    mail_outsider(
        seat.mail, seat.mail, "seat_invited", facts, at=at, mail_only=link, dedupe_key=f"seat:{seat.pk}:invited"
    )
