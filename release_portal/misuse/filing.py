"""The reporter's side: file a report, follow it by code, write to the desk. Who reports is never recorded."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.db.models import F

from release_portal.access.lookups import sizes_for
from release_portal.access.policy import Action
from release_portal.audit.services import record
from release_portal.core.actors import ANONYMOUS, Actor
from release_portal.core.decisions import too_much
from release_portal.core.errors import InvalidInput, NotFound, error_of
from release_portal.core.keys import keys_for, seal
from release_portal.misuse.categories import category_of
from release_portal.misuse.codes import code_digest, write_code
from release_portal.misuse.matching import write_matches
from release_portal.misuse.models import FilingCount, MisuseReport, ReportMessage, sealed
from release_portal.misuse.report_rules import DECLINE_REASONS, NEEDS_INFO, OUTCOMES, RECEIVED, REPORT
from release_portal.misuse.severities import first_look_due, provisional_level
from release_portal.registry.models import ModelSize

LONGEST_TEXT = 20_000
LONGEST_CONTACT = 254
FILINGS_A_DAY = 20
MESSAGES_A_DAY = 20
MARKING = "provenance"  # the keys under which addresses and accounts become marks


@dataclass(frozen=True)
class Filing:
    """What a reporter writes.

    Args:
        what: what happened.
        evidence: the text, or where it can be read.
        contact: e-mail address under which we may ask; empty for no.
        link: where it was seen.
        category: code, or empty for "not sure".
        size: slug of the size that it may come from, or empty.
    """

    what: str
    evidence: str
    contact: str = ""
    link: str = ""
    category: str = ""
    size: str = ""


@dataclass(frozen=True)
class PublicMessage:
    """A message as the reporter reads it."""

    is_from_staff: bool
    text: str
    at: datetime


@dataclass(frozen=True)
class PublicReport:
    """A report as its reporter reads it.

    Args:
        state: where it stands; a duplicate stands where the report stands that it was merged into.
        is_merged: whether it is handled together with another report.
        received_at, closed_at: when it came in, and when it ended.
        due_at: by when the next step happens; None while we wait for an answer, or at the end.
        outcome: how it ended, in a sentence; empty until then.
        words: what the desk wrote about the outcome.
        messages: both ways, oldest first.
        may_write: whether the desk still reads messages.
    """

    state: str
    is_merged: bool
    received_at: datetime
    closed_at: datetime | None
    due_at: datetime | None
    outcome: str
    words: str
    messages: tuple[PublicMessage, ...]
    may_write: bool


def report_subject(report: MisuseReport) -> str:
    """Return how the audit log names a report."""
    return f"report:{report.pk}"


@transaction.atomic
def file_report(actor: Actor, filing: Filing, *, address: str, at: datetime) -> tuple[MisuseReport, str]:
    """Take in a report from anyone, and return it with its tracking code, which is shown this once.

    Args:
        address: network address, for the limit of a day; it is not stored.

    Raises:
        InvalidInput: something is missing or too long.
        TooMuch: this address filed as many reports today as we take.
    """
    size = _check_filing(actor, filing)
    _count_filing(address, at)
    code = write_code(secrets.randbits(128))
    urgency = provisional_level(filing.category)
    report = MisuseReport.objects.create(
        code_digest=code_digest(code),
        filer_mark=_filer_mark(actor),
        sealed_what=seal(filing.what.strip()),
        sealed_evidence=seal(filing.evidence.strip()),
        sealed_link=sealed(filing.link.strip()),
        sealed_contact=sealed(filing.contact.strip()),
        category_guess=filing.category,
        size_guess=size,
        urgency=urgency,
        received_at=at,
        due_at=first_look_due(at, urgency),
    )
    matches = write_matches(report, filing.evidence, at=at)
    # The reporter's identity stays out of the record, so every report in it comes from a visitor.
    data = {"category": filing.category, "urgency": urgency, "matches": matches}
    record("report.received", actor=ANONYMOUS, subject=report_subject(report), at=at, data=data)
    return report, code


def read_by_code(code: str) -> PublicReport:
    """Return the report with that code as its reporter may read it; the answer to every other code is one."""
    report = _by_code(code)
    shown = report.duplicate_of or report
    return PublicReport(
        state=shown.state,
        is_merged=report.duplicate_of is not None,
        received_at=report.received_at,
        closed_at=shown.closed_at,
        due_at=shown.due_at,
        outcome=DECLINE_REASONS.get(shown.decline_code, "") or OUTCOMES.get(shown.outcome_code, ""),
        words=shown.outcome,
        messages=tuple(PublicMessage(one.is_from_staff, one.text, one.at) for one in report.messages.all()),
        may_write=_may_write(report),
    )


@transaction.atomic
def write_by_code(code: str, text: str, *, at: datetime) -> ReportMessage:
    """Add a message of the reporter; an answer to a question starts the clock again."""
    report = _by_code(code, lock=True)
    decision = REPORT.decide("write", report.state, {"reporter"})
    if not decision:
        raise error_of(decision)
    check_text(text, "message", "Write the message.")
    last = report.messages.last()
    if last is not None and not last.is_from_staff and last.text == text.strip():
        return last  # a page that was loaded again sends the same once more
    _check_messages(report, at)
    message = ReportMessage.objects.create(report=report, is_from_staff=False, sealed_text=seal(text.strip()), at=at)
    if report.state == NEEDS_INFO:
        report.state, report.due_at = RECEIVED, first_look_due(at, report.urgency)
    report.version += 1
    report.save(update_fields=["state", "due_at", "version"])
    record_message(ANONYMOUS, report, "reporter", at)
    return message


def record_message(actor: Actor, report: MisuseReport, side: str, at: datetime) -> None:
    """Write down that a message was added, without its words."""
    data = {"from": side, "state": report.state, "version": report.version}
    record("report.message", actor=actor, subject=report_subject(report), at=at, data=data)


def is_filer(actor: Actor, report: MisuseReport) -> bool:
    """Whether this person filed the report while signed in."""
    version, _, _ = report.filer_mark.partition(":")
    if not actor.is_person or not version:
        return False
    return version in keys_for(MARKING).secrets and hmac.compare_digest(report.filer_mark, _mark_of(actor, version))


def check_text(text: str, field: str, change: str, *, optional: bool = False) -> None:
    """Raise InvalidInput at the field for a text that is missing, too long or no text."""
    if not optional and not text.strip():
        raise InvalidInput("This is empty.", field=field, change=change)
    if len(text) > LONGEST_TEXT:
        raise InvalidInput(
            f"This has {len(text):,} characters; at most {LONGEST_TEXT:,} are read.",
            field=field,
            change="Send the part that matters, and say where the rest is.",
        )
    if "\x00" in text:
        raise InvalidInput("This holds a character that is no text.", field=field, change="Remove it.")


def _check_filing(actor: Actor, filing: Filing) -> ModelSize | None:
    check_text(filing.what, "what", "Write in your own words what happened.")
    check_text(filing.evidence, "evidence", "Paste the text, or write where it can be read.")
    check_text(filing.link, "link", "", optional=True)
    _check_contact(filing.contact.strip())
    if filing.category and category_of(filing.category) is None:
        raise InvalidInput(
            "This category does not exist.", field="category", change="Choose one from the list, or: not sure."
        )
    return _size_guess(actor, filing.size)


def _check_contact(contact: str) -> None:
    if not contact:
        return
    try:
        validate_email(contact)
    except ValidationError as error:
        raise InvalidInput(
            "This is no e-mail address.", field="contact", change="Correct it, or leave it empty."
        ) from error
    if len(contact) > LONGEST_CONTACT:
        raise InvalidInput("This address is too long.", field="contact", change="Leave it empty if you prefer.")


def _size_guess(actor: Actor, slug: str) -> ModelSize | None:
    """Find a size that the reporter may know of; a hidden one does not exist for them."""
    if not slug:
        return None
    # A stage opens VIEW to everyone or to staff only, so the time does not matter here.
    known = sizes_for(actor, Action.VIEW, at=datetime.min.replace(tzinfo=UTC))
    size = known.filter(slug=slug[:96]).first() if "\x00" not in slug else None
    if size is None:
        raise InvalidInput("This size does not exist.", field="size", change="Choose one from the list, or: not sure.")
    return size


def _count_filing(address: str, at: datetime) -> None:
    day = at.astimezone(UTC).date()
    FilingCount.objects.filter(day__lt=day).delete()
    row, _ = FilingCount.objects.select_for_update().get_or_create(
        mark=_address_mark(address, day.isoformat()), day=day
    )
    if row.count >= FILINGS_A_DAY:
        midnight = datetime.combine(day + timedelta(days=1), time.min, UTC)
        raise error_of(
            too_much(
                "filings",
                f"This network has filed {FILINGS_A_DAY} reports today, which is as many as we take in a day.",
                f"reports: {FILINGS_A_DAY} a day from one network",
                "If somebody is in danger, call the emergency services; else come back tomorrow.",
                midnight,
            )
        )
    FilingCount.objects.filter(pk=row.pk).update(count=F("count") + 1)


def _address_mark(address: str, day: str) -> str:
    """Return a keyed digest of a network that is another one tomorrow."""
    keys = keys_for(MARKING)
    salt = keys.mac(keys.newest, f"filing salt {day}")
    return hmac.new(salt, _network(address).encode(), hashlib.sha256).hexdigest()


def _network(address: str) -> str:
    """One household has one IPv4 address, but 2**64 of IPv6."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{parsed}/64", strict=False)) if parsed.version == 6 else str(parsed)


def _filer_mark(actor: Actor) -> str:
    return _mark_of(actor, keys_for(MARKING).newest) if actor.is_person else ""


def _mark_of(actor: Actor, version: str) -> str:
    return f"{version}:{keys_for(MARKING).mac(version, f'filer {actor.id}').hex()}"


def _by_code(code: str, *, lock: bool = False) -> MisuseReport:
    reports = MisuseReport.objects.select_for_update(of=("self",)) if lock else MisuseReport.objects.all()
    report = reports.select_related("duplicate_of").filter(code_digest=code_digest(code)).first()
    if report is None:
        raise NotFound(
            "There is no report with this code.",
            field="code",
            change="Check the code; small letters, spaces and dashes do not matter.",
        )
    return report


def _may_write(report: MisuseReport) -> bool:
    return bool(REPORT.decide("write", report.state, {"reporter"}))


def _check_messages(report: MisuseReport, at: datetime) -> None:
    since = at - timedelta(days=1)
    recent = list(report.messages.filter(is_from_staff=False, at__gt=since).values_list("at", flat=True))
    if len(recent) >= MESSAGES_A_DAY:
        raise error_of(
            too_much(
                "messages",
                f"You have written {MESSAGES_A_DAY} messages in a day.",
                f"reports: {MESSAGES_A_DAY} messages a day",
                "We read what you wrote; wait for an answer.",
                min(recent) + timedelta(days=1),
            )
        )
