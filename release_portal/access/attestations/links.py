"""The link in a mail by which somebody without an account answers; only a digest of it is stored."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from release_portal.access.attestations.rules import LABELS
from release_portal.access.models import Attestation
from release_portal.core.link_tokens import digest_of, new_token
from release_portal.notices.services import mail_outsider


def mail_link(attestation: Attestation, kind: str, *, at: datetime) -> None:
    """Mail a new link to the person and to nobody else; the one before it is dead. The caller saves.

    Args:
        attestation: a request that waits for an answer; its application is loaded.
        kind: kind of the mail.
        at: the time of the act.
    """
    assert attestation.expires_at is not None
    token = new_token()
    context = {
        "applicant": attestation.application.applicant.name,
        "size": attestation.application.size.name,
        "role": LABELS[attestation.kind],
        "until": f"{attestation.expires_at:%d %B %Y, %H:%M UTC}",
    }
    attestation.mails += 1
    attestation.link_mail = mail_outsider(
        attestation.mail,
        attestation.name,
        kind,
        context,
        at=at,
        dedupe_key=f"attestation:{attestation.pk}:{attestation.mails}",
        mail_only=f"{settings.PUBLIC_URL}/attestations/link/{token}/",
    )
    attestation.link_digest, attestation.mailed_at = digest_of(token), at
