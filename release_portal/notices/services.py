"""Tell people: write notices with their mail, send the mail, try it again, mark notices as read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.template import Context
from django.template.loader import get_template

from release_portal.accounts.models import User
from release_portal.accounts.roles import Role
from release_portal.audit.services import record
from release_portal.core.actors import Actor
from release_portal.core.errors import NotAllowed, NotFound, NotNow
from release_portal.core.keys import seal, unseal
from release_portal.notices.kinds import notice_kind
from release_portal.notices.models import MailOut, Notice
from release_portal.notices.retry_rules import FAILED, SENT, WAITING, is_given_up, next_attempt

BATCH = 50


def notify(
    recipient: User,
    kind: str,
    context: Mapping[str, str],
    *,
    at: datetime,
    path: str = "",
    dedupe_key: str = "",
    mail_only: str = "",
) -> Notice | None:
    """Write a notice and its mail inside the caller's transaction; None when this key was told already.

    Args:
        recipient: who is told.
        kind: kind of the catalogue.
        context: the strings that its text names.
        at: the time of the act.
        path: page of the portal that it is about.
        dedupe_key: the same key is told once.
        mail_only: a line that stands in the mail alone, sealed until it is sent; for links that are secrets.

    Raises:
        KeyError: the kind is not in the catalogue.
        ValueError: the context is not what the kind's text needs.
        RuntimeError: there is no transaction, so the act and its notice could part.
    """
    _check_call(kind, context, is_outside=False)
    if dedupe_key and Notice.objects.filter(recipient=recipient, dedupe_key=dedupe_key).exists():
        return None
    subject, body = _text(kind, {**context, "name": recipient.name})
    notice = Notice.objects.create(
        recipient=recipient, kind=kind, subject=subject, body=body, path=path, dedupe_key=dedupe_key, created_at=at
    )
    if recipient.is_active and recipient.email:
        _post(notice, recipient.email, at, mail_only)
    return notice


def tell(recipient: User, kind: str, context: Mapping[str, str], at: datetime, path: str, dedupe_key: str) -> None:
    """Write a notice for a room below this one, which cannot call `notify`."""
    notify(recipient, kind, context, at=at, path=path, dedupe_key=dedupe_key)


def notify_each(
    recipients: Iterable[User], kind: str, context: Mapping[str, str], *, at: datetime, path: str = ""
) -> None:
    """Tell several people the same; nobody reads who else was told."""
    for recipient in recipients:
        notify(recipient, kind, context, at=at, path=path)


def mail_outsider(
    address: str,
    name: str,
    kind: str,
    context: Mapping[str, str],
    *,
    at: datetime,
    dedupe_key: str,
    mail_only: str = "",
) -> MailOut | None:
    """Write a mail to somebody without an account, inside the caller's transaction; None when it was written already.

    Args:
        address: where it goes.
        name: how the person is called.
        kind: kind of the catalogue that is meant for outsiders.
        context: the strings that its text names.
        at: the time of the act.
        dedupe_key: the same key is mailed once.
        mail_only: a line that stands in the mail alone, sealed until it is sent; for links that are secrets.

    Raises:
        KeyError: the kind is not in the catalogue.
        ValueError: the kind is not for outsiders, or the context is not what its text needs.
        RuntimeError: there is no transaction, so the act and its mail could part.
    """
    _check_call(kind, context, is_outside=True)
    text = _text(kind, {**context, "name": name})
    return _post_outside(address, name, text, at, f"outside:{dedupe_key}", mail_only)


def _post_outside(
    address: str, name: str, text: tuple[str, str], at: datetime, key: str, mail_only: str
) -> MailOut | None:
    if MailOut.objects.filter(dedupe_key=key).exists():
        return None
    subject, body = text
    return MailOut.objects.create(
        to=address,
        is_outside=True,
        recipient_name=name,
        subject=subject,
        body=f"{body}\n",
        sealed_tail=seal(mail_only) if mail_only else None,
        next_attempt_at=at,
        dedupe_key=key,
        created_at=at,
    )


def _check_call(kind: str, context: Mapping[str, str], *, is_outside: bool) -> None:
    found = notice_kind(kind)
    if found.is_for_outsiders != is_outside:
        raise ValueError(f"{kind} is {'no mail to an address alone' if is_outside else 'a mail to an address alone'}")
    if set(context) != found.needs:
        raise ValueError(f"{kind} needs {sorted(found.needs)}, not {sorted(context)}")
    if not transaction.get_connection().in_atomic_block:
        raise RuntimeError("telling people must happen inside the transaction of the act")


def _text(kind: str, context: Mapping[str, str]) -> tuple[str, str]:
    """The first line is the subject; nothing is escaped, because this is text and pages escape it themselves."""
    template = get_template(f"notices/{kind}.txt").template  # type: ignore[attr-defined]
    first, _, rest = template.source.strip().partition("\n")
    subject, body = (
        template.engine.from_string(part).render(Context(dict(context), autoescape=False)) for part in (first, rest)
    )
    return " ".join(subject.split())[:200], body.strip()


def _post(notice: Notice, address: str, at: datetime, mail_only: str) -> None:
    link = f"\n\n{settings.PUBLIC_URL}{notice.path}" if notice.path else ""
    MailOut.objects.create(
        to=address,
        subject=notice.subject,
        body=f"{notice.body}{link}\n",
        sealed_tail=seal(mail_only) if mail_only else None,
        next_attempt_at=at,
        dedupe_key=f"notice:{notice.pk}",
        created_at=at,
    )


# --- Reading ---------------------------------------------------------------------------------------------------------


def mark_read(actor: Actor, notice_id: int, *, at: datetime) -> None:
    """Mark one of the actor's own notices as read."""
    found = Notice.objects.filter(pk=notice_id, recipient_id=actor.account_id)
    if not found.exists():
        raise NotFound("There is no such notice of yours.", change="Your notices are listed on one page.")
    found.unread().update(read_at=at)


def mark_all_read(actor: Actor, *, at: datetime) -> int:
    """Mark every notice of the actor as read that was there by now."""
    return Notice.objects.filter(recipient_id=actor.account_id, created_at__lte=at).unread().update(read_at=at)


# --- Sending ---------------------------------------------------------------------------------------------------------


def send_due_mail(*, at: datetime) -> int:
    """Try every mail that is due; return how many went out.

    Each is claimed before it is sent: a second sender does not see it, and one that dies leaves it to the next pause.
    """
    waiting = list(MailOut.objects.due(at).values_list("pk", flat=True)[:BATCH])
    return sum(_try(mail, at) for pk in waiting if (mail := _claim(pk, at)))


@transaction.atomic
def _claim(pk: int, at: datetime) -> MailOut | None:
    mail = MailOut.objects.select_for_update().due(at).filter(pk=pk).first()
    if mail is None:
        return None
    mail.attempts += 1
    mail.next_attempt_at = next_attempt(mail.attempts, at)
    mail.save(update_fields=["attempts", "next_attempt_at"])
    return mail


def _try(mail: MailOut, at: datetime) -> bool:
    """Send outside any transaction: a slow mail server must not hold the database."""
    try:
        _message(mail).send()
    except (OSError, ValueError) as error:  # SMTP errors are OSErrors; addresses and headers raise ValueError
        mail.last_error = f"{type(error).__name__}: {error}"[:300]
        mail.state = FAILED if is_given_up(mail.attempts) else WAITING
    else:
        mail.last_error, mail.state, mail.sent_at, mail.sealed_tail = "", SENT, at, None
    mail.save(update_fields=["last_error", "state", "sent_at", "sealed_tail"])
    return mail.state == SENT


def _message(mail: MailOut) -> EmailMessage:
    host = urlsplit(settings.PUBLIC_URL).hostname
    # The same id at every attempt, so that a mail which arrives twice is recognised as one.
    headers = {"Message-ID": f"<mail-{mail.pk}-{int(mail.created_at.timestamp())}@{host}>"}
    tail = f"\n{unseal(mail.sealed_tail)}\n" if mail.sealed_tail else ""
    return EmailMessage(mail.subject, mail.body + tail, to=[mail.to], headers=headers)


@transaction.atomic
def retry_mail(actor: Actor, mail_id: int, *, at: datetime) -> MailOut:
    """Give a mail that was given up another full round of attempts."""
    if actor.scopes is not None or not actor.has_role(Role.OPERATOR):
        raise NotAllowed("Mail is tried again by operators.", rule="mail: retry", change="Ask an operator.")
    mail = MailOut.objects.select_for_update().filter(pk=mail_id).first()
    if mail is None:
        raise NotFound("There is no such mail.", change="Look in the list of mail.")
    if mail.state != FAILED:
        raise NotNow(f"This mail is {mail.state}.", rule="mail: retry", change="Only mail that failed is tried again.")
    mail.state, mail.attempts, mail.next_attempt_at = WAITING, 0, at
    mail.save(update_fields=["state", "attempts", "next_attempt_at"])
    record("mail.retried", actor=actor, subject=f"mail:{mail.pk}", at=at, data={"subject": mail.subject})
    return mail
