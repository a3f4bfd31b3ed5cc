"""Notices: written with the act, mailed with retries, read by their recipients; reminders come once."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core import mail
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.template import Context, Engine
from django.urls import resolve

from release_portal.access.applications import answer_question, lapse_applications, save_application
from release_portal.access.models import Grant
from release_portal.access.reminders import remind_of_ends, remind_of_lapses
from release_portal.access.reviews import approve_application, ask_applicant, refuse_application
from release_portal.access.services import expire_grants, lapse_suspensions, lift_suspension, suspend_grant
from release_portal.accounts.services import give_role
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import Actor, system_actor
from release_portal.core.errors import NotAllowed, NotFound, NotNow
from release_portal.notices.kinds import KINDS
from release_portal.notices.lookups import mail_for, notices_for, unread_count
from release_portal.notices.models import MailOut, Notice
from release_portal.notices.retry_rules import MOST_ATTEMPTS, next_attempt
from release_portal.notices.services import mark_all_read, mark_read, notify, retry_mail, send_due_mail
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import answers, conditions, submit
from tests.world import SERVED, World

SWEEPER = system_actor("sweeper")
DAY = timedelta(days=1)
TEXTS = Path(settings.BASE_DIR) / "templates" / "notices"
LAPSED = {"application": "a-1", "size": "124M", "state": "stayed a draft"}


@pytest.fixture(autouse=True)
def clean(world: World, at: datetime) -> Iterator[None]:
    """The agreement is in force, and nobody was told anything yet."""
    write_agreement(DEMO, at=at - 100 * DAY)
    Notice.objects.all().delete()
    MailOut.objects.all().delete()
    yield
    mail.outbox.clear()


class BrokenBackend(BaseEmailBackend):
    """A mail server that always hangs up."""

    def send_messages(self, messages: Any) -> int:
        """Refuse."""
        raise smtplib.SMTPServerDisconnected("hung up")


@pytest.fixture
def no_mail_server(settings: Any) -> None:
    """Nothing can be sent."""
    settings.EMAIL_BACKEND = "tests.services.test_notices.BrokenBackend"


def told(name: str) -> list[str]:
    """The kinds of a person's notices, in order."""
    return list(Notice.objects.filter(recipient__username=name).order_by("pk").values_list("kind", flat=True))


def everyone_told() -> set[tuple[str, str]]:
    return set(Notice.objects.values_list("recipient__username", "kind"))


# --- The catalogue ---------------------------------------------------------------------------------------------------


def test_every_kind_has_a_text_and_every_text_a_kind() -> None:
    assert {path.stem for path in TEXTS.glob("*.txt")} == set(KINDS)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_text_says_everything_that_its_kind_needs_and_nothing_is_left_blank(kind: str) -> None:
    values = {name: f"<{name}>" for name in (*KINDS[kind].needs, "name")}
    engine = Engine(string_if_invalid="MISSING %s", autoescape=False)
    text = engine.from_string((TEXTS / f"{kind}.txt").read_text(encoding="utf-8")).render(
        Context(values, autoescape=False)
    )
    assert "MISSING" not in text
    assert [name for name, value in values.items() if value not in text] == []
    subject, _, body = text.partition("\n")
    assert subject.strip()
    assert body.strip()


# --- Telling ---------------------------------------------------------------------------------------------------------


def test_a_notice_is_written_with_its_mail_and_is_plain_text(world: World, at: datetime) -> None:
    facts = LAPSED | {"size": "<b>124M</b> & co\r\nBcc: all@example.org"}
    notice = notify(world.people["finn"], "application_lapsed", facts, at=at, path="/applications/a-1/")
    assert notice is not None
    assert "<b>124M</b> & co Bcc: all@example.org" in notice.subject, "one line, not escaped: pages do that"
    waiting = MailOut.objects.get()
    assert (waiting.to, waiting.state, waiting.subject) == ("finn@example.org", "waiting", notice.subject)
    assert waiting.body.endswith(f"{settings.PUBLIC_URL}/applications/a-1/\n")
    assert mail.outbox == [], "nothing leaves inside the transaction"


@pytest.mark.parametrize("facts", [{}, {**LAPSED, "more": "x"}, {"application": "a-1", "size": "124M"}])
def test_a_text_with_too_little_or_too_much_is_a_fault(world: World, at: datetime, facts: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="needs"):
        notify(world.people["finn"], "application_lapsed", facts, at=at)


def test_a_kind_that_nobody_declared_is_a_fault(world: World, at: datetime) -> None:
    with pytest.raises(KeyError):
        notify(world.people["finn"], "hello", {}, at=at)


@pytest.mark.django_db(transaction=True)
def test_a_notice_needs_the_transaction_of_its_act(world: World, at: datetime) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        notify(world.people["finn"], "application_lapsed", LAPSED, at=at)
    with pytest.raises(ZeroDivisionError):
        _tell_and_fail(world, at)
    assert not Notice.objects.exists()
    assert not MailOut.objects.exists()


@transaction.atomic
def _tell_and_fail(world: World, at: datetime) -> None:
    notify(world.people["finn"], "application_lapsed", LAPSED, at=at)
    raise ZeroDivisionError


def test_the_same_key_tells_a_person_once_and_another_person_too(world: World, at: datetime) -> None:
    for name in ("finn", "finn", "lou"):
        notify(world.people[name], "application_lapsed", LAPSED, at=at, dedupe_key="one")
    assert (told("finn"), told("lou")) == (["application_lapsed"], ["application_lapsed"])
    assert MailOut.objects.count() == 2


def test_a_closed_account_gets_no_mail(world: World, at: datetime) -> None:
    finn = world.people["finn"]
    finn.is_active = False
    finn.save()
    notify(finn, "application_lapsed", LAPSED, at=at)
    assert not MailOut.objects.exists()


# --- Sending ---------------------------------------------------------------------------------------------------------


def test_due_mail_goes_out_once(world: World, at: datetime) -> None:
    notify(world.people["finn"], "application_lapsed", LAPSED, at=at)
    assert send_due_mail(at=at) == 1
    assert send_due_mail(at=at + DAY) == 0
    (message,) = mail.outbox
    assert (message.to, message.subject) == (["finn@example.org"], "Your application for 124M has lapsed")
    assert message.extra_headers["Message-ID"].startswith(f"<mail-{MailOut.objects.get().pk}-")
    sent = MailOut.objects.get()
    assert (sent.state, sent.attempts, sent.sent_at) == ("sent", 1, at)


@pytest.mark.usefixtures("no_mail_server")
def test_what_cannot_be_sent_is_tried_again_later_and_given_up_in_sight(world: World, at: datetime) -> None:
    notify(world.people["finn"], "application_lapsed", LAPSED, at=at)
    when = at
    for attempt in range(1, MOST_ATTEMPTS + 1):
        assert MailOut.objects.get().state == "waiting"
        assert send_due_mail(at=when) == 0
        assert send_due_mail(at=when) == 0, "not before its pause is over"
        tried = MailOut.objects.get()
        assert (tried.attempts, tried.next_attempt_at) == (attempt, next_attempt(attempt, when))
        when = tried.next_attempt_at
    given_up = MailOut.objects.get()
    assert given_up.state == "failed"
    assert "hung up" in given_up.last_error
    assert send_due_mail(at=when + DAY) == 0
    assert MailOut.objects.get().attempts == MOST_ATTEMPTS
    assert told("finn") == ["application_lapsed"], "the notice is there all the same"


def test_each_pause_is_twice_the_one_before(at: datetime) -> None:
    pauses = [next_attempt(attempt, at) - at for attempt in range(1, MOST_ATTEMPTS)]
    assert all(later == 2 * sooner for sooner, later in zip(pauses, pauses[1:], strict=False))
    assert timedelta(minutes=30) < sum(pauses, timedelta()) < timedelta(hours=2)


def test_one_bad_address_does_not_stop_the_others(world: World, at: datetime) -> None:
    notify(world.people["finn"], "application_lapsed", LAPSED, at=at)
    notify(world.people["lou"], "application_lapsed", LAPSED, at=at)
    MailOut.objects.filter(to="finn@example.org").update(to="finn@example.org\nBcc: all@example.org")
    assert send_due_mail(at=at) == 1
    assert MailOut.objects.get(to="lou@example.org").state == "sent"
    assert "newlines" in MailOut.objects.exclude(to="lou@example.org").get().last_error


def failed_mail(world: World, at: datetime) -> MailOut:
    notify(world.people["finn"], "application_lapsed", LAPSED, at=at)
    MailOut.objects.update(state="failed", attempts=MOST_ATTEMPTS)
    return MailOut.objects.get()


def test_an_operator_tries_a_failed_mail_again(world: World, at: datetime) -> None:
    failed = failed_mail(world, at)
    retry_mail(world.actor("olu"), failed.pk, at=at + DAY)
    event = AuditEvent.objects.last()
    assert event is not None
    assert (event.kind, event.actor_name) == ("mail.retried", "olu")
    assert send_due_mail(at=at + DAY) == 1
    with pytest.raises(NotNow):
        retry_mail(world.actor("olu"), failed.pk, at=at + DAY)


@pytest.mark.parametrize("name", ["ada", "ivy", "finn", "anonymous"])
def test_nobody_else_does(world: World, at: datetime, name: str) -> None:
    failed = failed_mail(world, at)
    with pytest.raises(NotAllowed):
        retry_mail(world.actor(name), failed.pk, at=at)
    assert not mail_for(world.actor(name)).exists()
    assert mail_for(world.actor("olu")).count() == 1


# --- Reading ---------------------------------------------------------------------------------------------------------


def test_people_read_and_mark_their_own_notices_only(world: World, at: datetime) -> None:
    for name in ("finn", "finn", "lou"):
        notify(world.people[name], "application_lapsed", LAPSED, at=at)
    finn, lou = world.actor("finn"), world.actor("lou")
    first = notices_for(finn).order_by("pk")[0]
    with pytest.raises(NotFound):
        mark_read(lou, first.pk, at=at)
    assert (unread_count(finn), unread_count(lou), unread_count(world.actor("anonymous"))) == (2, 1, 0)
    mark_read(finn, first.pk, at=at)
    mark_read(finn, first.pk, at=at + DAY)
    first.refresh_from_db()
    assert (first.read_at, unread_count(finn)) == (at, 1)
    assert mark_all_read(finn, at=at) == 1
    assert (unread_count(finn), unread_count(lou)) == (0, 1)
    token = Actor(finn.kind, finn.id, finn.name, frozenset(), frozenset({"jobs:read"}))
    assert not notices_for(token).exists()


# --- Who is told what ------------------------------------------------------------------------------------------------


def test_T23_an_application_that_arrives_is_told_to_applicant_and_access_leads(world: World, at: datetime) -> None:
    """T23: exactly these."""
    sent = submit(world, "finn", at)
    assert everyone_told() == {("finn", "application_received"), ("ivy", "application_arrived")}
    paths = {notice.recipient.username: notice.path for notice in Notice.objects.select_related("recipient")}
    assert resolve(paths["finn"]).url_name == "application"
    assert resolve(paths["ivy"]).url_name == "review"
    assert sent.pk in paths["finn"]
    assert answers(at).purpose not in Notice.objects.get(kind="application_arrived").body, "mail holds no answers"


def test_T23_an_access_lead_who_applies_is_not_asked_to_decide(world: World, at: datetime) -> None:
    give_role(world.actor("ada"), world.people["jo"], "access_lead", reason="second lead", at=at)
    submit(world, "ivy", at)
    assert everyone_told() == {("ivy", "application_received"), ("jo", "application_arrived")}


def test_question_approval_and_refusal_reach_the_applicant(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    asked = ask_applicant(world.actor("ivy"), sent.pk, question="Who sees it?", expected_version=sent.version, at=at)
    back = answer_question(world.actor("finn"), sent.pk, answer="We do.", expected_version=asked.version, at=at)
    grant = approve_application(world.actor("ivy"), sent.pk, conditions(back), expected_version=back.version, at=at)
    other = submit(world, "lou", at)
    refuse_application(
        world.actor("ivy"), other.pk, code="purpose_unclear", text="Which?", expected_version=other.version, at=at
    )
    assert told("finn") == ["application_received", "application_question", "application_approved"]
    bodies = {notice.kind: notice.body for notice in Notice.objects.all()}
    assert "Who sees it?" in bodies["application_question"]
    for words in (grant.pk, "50,000", f"{grant.ends_at:%d %B %Y}", "detect, generate", "ivy, access lead"):
        assert words in bodies["application_approved"]
    for words in ("not clear enough", "Which?", "What would change it", "Then apply again"):
        assert words in bodies["application_refused"]
    assert told("lou") == ["application_received", "application_refused"]


def test_a_suspension_and_its_end_reach_the_holder(world: World, at: datetime) -> None:
    grant = world.grants["cleo"]
    suspend_grant(world.actor("ben"), grant.pk, reason="Odd volume.", expected_version=grant.version, at=at)
    grant.refresh_from_db()
    lift_suspension(world.actor("olu"), grant.pk, reason="A class.", expected_version=grant.version, at=at)
    grant.refresh_from_db()
    suspend_grant(world.actor("ben"), grant.pk, reason="Again.", expected_version=grant.version, at=at)
    lapse_suspensions(SWEEPER, at=at + 4 * DAY)
    assert told("cleo") == ["grant_suspended", "grant_lifted", "grant_suspended", "grant_suspension_lapsed"]
    first = Notice.objects.order_by("pk")[0]
    assert "Odd volume." in first.body
    assert resolve(first.path).url_name == "grant"


def test_the_end_of_a_grant_is_told_once(world: World, at: datetime) -> None:
    ends = world.grants["cleo"].ends_at
    for _ in range(2):
        expire_grants(SWEEPER, at=ends)
    assert told("cleo") == ["grant_expired"]


# --- Reminders -------------------------------------------------------------------------------------------------------


def ends(grant: Grant, days: int) -> datetime:
    return grant.ends_at - days * DAY


def reminded(world: World, when: datetime) -> list[str]:
    """What cleo is newly told by one sweep: days before the end."""
    before = Notice.objects.filter(recipient=world.people["cleo"]).count()
    remind_of_ends(at=when)
    found = Notice.objects.filter(recipient=world.people["cleo"]).order_by("pk")[before:]
    return [notice.subject.split(" ends in ")[1] for notice in found]


def test_the_end_is_announced_sixty_fourteen_and_three_days_before_each_once(world: World) -> None:
    grant = world.grants["cleo"]
    assert reminded(world, ends(grant, 60) - timedelta(seconds=1)) == []
    for days in (60, 14, 3):
        assert reminded(world, ends(grant, days)) == [f"{days} days"]
        assert reminded(world, ends(grant, days) + timedelta(hours=1)) == []
    assert reminded(world, grant.ends_at) == []


def test_after_an_outage_only_the_nearest_reminder_comes(world: World) -> None:
    assert reminded(world, ends(world.grants["cleo"], 2)) == ["2 days"]


def test_T11_reminders_stop_after_a_renewal_and_begin_again_before_the_new_end(world: World) -> None:
    grant = world.grants["cleo"]
    when = ends(grant, 14)
    assert reminded(world, when) == ["14 days"]
    sent = submit(world, "cleo", when, renews=grant.pk)
    approve_application(world.actor("ivy"), sent.pk, conditions(sent), expected_version=sent.version, at=when)
    assert reminded(world, ends(grant, 3)) == []
    grant.refresh_from_db()
    assert reminded(world, ends(grant, 60)) == ["60 days"]


def test_a_grant_that_never_was_that_long_is_not_announced_as_ending(world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    day = (at + 10 * DAY).date()
    approve_application(
        world.actor("ivy"), sent.pk, conditions(sent, last_day=day), expected_version=sent.version, at=at
    )
    remind_of_ends(at=at)
    assert "grant_ends_soon" not in told("finn")
    remind_of_ends(at=at + 9 * DAY)
    assert told("finn").count("grant_ends_soon") == 1


def test_suspended_and_ended_grants_are_not_announced(world: World, at: datetime) -> None:
    for name in ("eve", "dan"):
        remind_of_ends(at=world.grants[name].ends_at - DAY)
        assert told(name) == []


def test_an_application_that_waits_for_its_applicant_is_announced_before_it_lapses(world: World, at: datetime) -> None:
    save_application(world.actor("lou"), SERVED, answers(at), expected_version=0, at=at)
    sent = submit(world, "finn", at)
    ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=sent.version, at=at)
    days = range(61)
    found: dict[str, list[int]] = {"finn": [], "lou": []}
    for day in days:
        before = {name: len(told(name)) for name in found}
        remind_of_lapses(at=at + day * DAY)
        for name, number in before.items():
            found[name] += [day] * (len(told(name)) - number)
        lapse_applications(SWEEPER, at=at + day * DAY)
    assert found == {"finn": [14, 27], "lou": [46, 57]}
    assert told("finn")[-1] == told("lou")[-1] == "application_lapsed"
