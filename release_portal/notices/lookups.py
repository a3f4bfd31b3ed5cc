"""What a person may read: their own notices; for operators, the mail that goes out."""

from __future__ import annotations

from django.db.models import QuerySet

from release_portal.accounts.roles import Role
from release_portal.core.actors import Actor
from release_portal.notices.models import MailOut, Notice, NoticeQuerySet


def notices_for(actor: Actor) -> NoticeQuerySet:
    """Return the actor's own notices, newest first; a token reads none."""
    if not actor.is_person or actor.scopes is not None:
        return Notice.objects.none()
    return Notice.objects.filter(recipient_id=actor.account_id)


def unread_count(actor: Actor) -> int:
    """Return how many notices the actor has not read."""
    return notices_for(actor).unread().count()


def mail_for(actor: Actor) -> QuerySet[MailOut]:
    """Return the mail that the actor may see: all of it for operators, without its text."""
    if actor.scopes is not None or not actor.has_role(Role.OPERATOR):
        return MailOut.objects.none()
    return MailOut.objects.defer("body")
