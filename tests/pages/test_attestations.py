"""The pages of those who vouch: the applicant's, the reviewers', and the one behind the mailed link."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from release_portal.access.applications import save_application, withdraw_application
from release_portal.access.attestations.answers import open_attestation
from release_portal.access.models import AgreementVersion, Application, Attestation
from release_portal.audit.models import AuditEvent
from release_portal.core.actors import ANONYMOUS
from release_portal.notices.models import MailOut, Notice
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import answers
from tests.services.attesting import asked, confirm, mailed, name, token_of, waiting
from tests.world import SERVED, World

Clients = Callable[[str], Any]
DAY = timedelta(days=1)
RAE = {"name": "Rae Referee", "mail": "rae@referees.example", "relation": "supervisor", "expected_version": "0"}
UMA = {"name": "Uma Other", "mail": "uma@elsewhere.example", "relation": "colleague"}
REPLY = {
    "act": "confirm", "relation": "colleague", "since": "2015", "words": "secret words",
    "confirmed": ["knows", "affiliation", "purpose"],
}  # fmt: skip


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> Iterator[AgreementVersion]:
    """The shipped agreement, in force for some time; nobody was mailed yet."""
    MailOut.objects.all().delete()
    mail.outbox.clear()
    yield write_agreement(DEMO, at=at - 100 * DAY)
    mail.outbox.clear()


def link(token: str) -> str:
    return f"/attestations/link/{token}/"


def seen_on(page: str) -> str:
    """The digest of what the page showed."""
    found = re.search(r'name="seen" value="(\w{64})"', page)
    assert found is not None
    return found[1]


def draft_of(world: World, at: datetime) -> Application:
    given = answers(at, purpose_code="P05")
    return save_application(world.actor("finn"), SERVED, given, expected_version=0, at=at)


# --- The applicant ---------------------------------------------------------------------------------------------------


def test_an_applicant_names_a_referee_in_the_draft_and_sends_it(
    world: World, client_of: Clients, at: datetime, agreement: AgreementVersion
) -> None:
    draft, finn = draft_of(world, at), client_of("finn")
    apply = f"/sizes/{SERVED}/apply/"
    page = finn.get(apply).content.decode()
    address = f"/applications/{draft.pk}/attestations/referee/"
    assert 'href="#id_referee"' in page
    assert 'id="id_referee"' in page
    assert f'href="{address}"' in page
    form = {
        "purpose_code": "P05", "purpose": draft.purpose, "affiliation": draft.affiliation,
        "intended_use": draft.intended_use, "functions": ["generate", "detect"],
        "requested_end": str(draft.requested_end), "agreement": "on", "agreement_hash": agreement.sha256,
        "expected_version": "1", "act": "submit",
    }  # fmt: skip
    refused = finn.post(apply, form)
    assert refused.status_code == 409
    assert "name a referee" in refused.content.decode()
    assert finn.get(address).status_code == 200
    bad = finn.post(address, {**RAE, "mail": world.people["finn"].email.upper()})
    assert bad.status_code == 400
    assert "This is an address of yours" in bad.content.decode()
    assert "Rae Referee" in bad.content.decode(), "what was written is kept"
    named = finn.post(address, RAE)
    assert (named.status_code, named["Location"]) == (303, f"{apply}#attesters")
    assert not MailOut.objects.filter(is_outside=True).exists()
    sent = finn.post(apply, form)
    assert sent["Location"] == f"/applications/{draft.pk}/"
    page = finn.get(sent["Location"]).content.decode()
    assert "Rae Referee" in page
    assert "It cannot be approved before" in page
    assert ">asked<" in page.replace("\n", "")
    assert [one.to for one in MailOut.objects.filter(is_outside=True)] == ["rae@referees.example"]


def test_an_applicant_mails_again_cancels_and_names_another(world: World, client_of: Clients, at: datetime) -> None:
    sent, finn = waiting(world, at), client_of("finn")
    base = f"/applications/{sent.pk}/attestations/referee/"
    page = finn.get(f"/applications/{sent.pk}/").content.decode()
    assert f'action="{base}cancel/"' in page
    assert f'action="{base}resend/"' not in page, "a mail went out today"
    assert finn.post(f"{base}resend/", {"expected_version": "2"}).status_code == 429
    assert finn.post(f"{base}cancel/", {"expected_version": "7"}).status_code == 409
    assert finn.post(f"{base}cancel/", {"expected_version": "2"}).status_code == 303
    assert "Name another person (2 left)" in finn.get(f"/applications/{sent.pk}/").content.decode()
    assert "name another person" in finn.get(base).content.decode()
    answer = finn.post(base, {**UMA, "expected_version": "3"})
    assert answer["Location"] == f"/applications/{sent.pk}/#attesters"
    assert (asked(sent).name, asked(sent).state) == ("Uma Other", "requested")
    page = finn.get(f"/applications/{sent.pk}/").content.decode()
    assert "Rae Referee" in page, "who was asked before stays to be seen"


def test_T2_pages_of_another_application_are_not_there(world: World, client_of: Clients, at: datetime) -> None:
    sent = waiting(world, at)
    base = f"/applications/{sent.pk}/attestations/referee/"
    for who, code in (("lou", 404), ("ivy", 404), ("anonymous", 401)):
        assert client_of(who).get(base).status_code == code
        assert client_of(who).post(f"{base}cancel/", {"expected_version": "2"}).status_code == code
    finn = client_of("finn")
    for path in ("nonsense/", "referee/nonsense/", "institution/cancel/"):
        assert finn.post(f"/applications/{sent.pk}/attestations/{path}").status_code == 404


def test_who_needs_nobody_sees_no_section(world: World, client_of: Clients, at: datetime) -> None:
    given = answers(at)
    draft = save_application(world.actor("finn"), SERVED, given, expected_version=0, at=at)
    assert 'id="attesters"' not in client_of("finn").get(f"/sizes/{SERVED}/apply/").content.decode()
    assert 'id="attesters"' not in client_of("finn").get(f"/applications/{draft.pk}/").content.decode()


# --- The link --------------------------------------------------------------------------------------------------------


def test_looking_changes_nothing_however_often_a_program_follows_the_link(
    world: World, client_of: Clients, at: datetime
) -> None:
    token = token_of(waiting(world, at), at)
    visitor, events = client_of("anonymous"), AuditEvent.objects.count()
    before = Attestation.objects.values().get()
    for _ in range(3):
        page = visitor.get(link(token))
        assert page.status_code == 200
        assert visitor.head(link(token)).status_code == 200
    assert Attestation.objects.values().get() == before
    assert AuditEvent.objects.count() == events
    assert page["Cache-Control"].count("no-store") == 1
    assert page["X-Robots-Tag"] == "noindex, nofollow"


def test_before_this_is_me_the_page_says_who_asks_and_keeps_the_work_back(
    world: World, client_of: Clients, at: datetime
) -> None:
    sent = waiting(world, at)
    token = token_of(sent, at)
    visitor = client_of("anonymous")
    page = visitor.get(link(token)).content.decode()
    for words in ("asks you to vouch", "What is asked", "What is stored", "What your answer leads to", "12 months"):
        assert words in page
    assert sent.purpose not in page
    assert visitor.post(link(token), {"act": "open"}).status_code == 303
    page = visitor.get(link(token)).content.decode()
    assert sent.purpose in page
    assert "I know " in page


def test_a_person_without_an_account_confirms(world: World, at: datetime) -> None:
    """With the check of the form's origin that browsers undergo; no script is used."""
    sent = waiting(world, at)
    token, visitor = token_of(sent, at), Client(enforce_csrf_checks=True)

    def post(data: dict[str, Any]) -> Any:
        page = visitor.get(link(token)).content.decode()
        secret = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]
        return visitor.post(link(token), {**data, "csrfmiddlewaretoken": secret})

    assert visitor.post(link(token), {"act": "open"}).status_code == 403
    assert post({"act": "open"}).status_code == 303
    seen = seen_on(visitor.get(link(token)).content.decode())
    half = post({**REPLY, "seen": seen, "confirmed": ["knows"], "since": "soon"})
    assert half.status_code == 409
    for words in ("Tick every sentence", "Write a year", "secret words"):
        assert words in half.content.decode()
    stale = post({**REPLY, "seen": "0" * 64})
    assert stale.status_code == 409
    assert seen_on(stale.content.decode()) == seen
    done = post({**REPLY, "seen": seen})
    assert done.status_code == 200
    assert "You have confirmed" in done.content.decode()
    assert asked(sent).state == "confirmed"
    assert visitor.get(link(token)).status_code == 404


@pytest.mark.parametrize(
    ("act", "state", "words"), [("decline", "declined", "You have declined"), ("dispute", "disputed", "saying so")]
)
def test_a_person_declines_or_says_that_it_is_not_them(
    world: World, client_of: Clients, at: datetime, act: str, state: str, words: str
) -> None:
    sent = waiting(world, at)
    token, visitor = token_of(sent, at), client_of("anonymous")
    assert visitor.post(link(token), {"act": "nonsense"}).status_code == 400
    assert visitor.post(link(token), {"act": "confirm"}).status_code == 409, "first: this is me"
    answer = visitor.post(link(token), {"act": act, "words": ""})
    assert (answer.status_code, asked(sent).state) == (200, state)
    assert words in answer.content.decode()


def test_words_that_are_too_long_are_kept_and_the_link_lives(world: World, client_of: Clients, at: datetime) -> None:
    token, visitor = token_of(waiting(world, at), at), client_of("anonymous")
    answer = visitor.post(link(token), {"act": "decline", "words": "long " * 500})
    assert answer.status_code == 400
    assert "long long" in answer.content.decode()
    assert visitor.get(link(token)).status_code == 200


def test_T21_what_applicants_write_is_text_on_the_page_and_in_the_mail(
    world: World, client_of: Clients, at: datetime
) -> None:
    sent = waiting(world, at, purpose="<script>alert(1)</script>", affiliation="<b>x</b>")
    token = token_of(sent, at)
    open_attestation(ANONYMOUS, token, at=at)
    page = client_of("anonymous").get(link(token)).content.decode()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "<b>x</b>" not in page


def test_T19_every_dead_link_gets_one_answer_with_as_many_queries_and_mails(
    world: World, client_of: Clients, at: datetime
) -> None:
    """Seen to fail with a page of its own for what was answered already."""
    used, cancelled, ended, late = (waiting(world, at, who) for who in ("finn", "lou", "gia", "kim"))
    tokens = {"wrong": "nonsense"}
    for why, sent in (("used", used), ("cancelled", cancelled), ("ended", ended), ("late", late)):
        row = asked(sent)
        row.mail = f"{why}@referees.example"
        row.mailed_at = at - 2 * DAY
        row.save()
        who = sent.applicant.username
        base = f"/applications/{sent.pk}/attestations/referee/"
        assert client_of(who).post(f"{base}resend/", {"expected_version": str(row.version)}).status_code == 303
        tokens[why] = mailed(row.mail, at + DAY)
    confirm(tokens["used"], at)
    client_of("lou").post(
        f"/applications/{cancelled.pk}/attestations/referee/cancel/",
        {"expected_version": str(asked(cancelled).version)},
    )
    withdraw_application(world.actor("gia"), ended.pk, expected_version=ended.version, at=at)
    Attestation.objects.filter(application=late).update(expires_at=at - DAY)
    mails, notices = MailOut.objects.count(), Notice.objects.count()
    seen = set()
    for why, token in tokens.items():
        for data in (None, {"act": "open"}, {"act": "dispute"}, {**REPLY, "seen": "0" * 64}):
            visitor = client_of("anonymous")
            with CaptureQueriesContext(connection) as queries:
                answer = visitor.post(link(token), data) if data else visitor.get(link(token))
            assert answer.status_code == 404, why
            seen.add((shape(answer.content.decode(), token), len(queries)))
    assert len(seen) == 1
    assert (MailOut.objects.count(), Notice.objects.count()) == (mails, notices)


def shape(page: str, token: str) -> str:
    """A page without what differs from request to request."""
    return re.sub(r"req-\w+|\d\d:\d\d(:\d\d)?", "", page.replace(token, ""))


# --- T18: where the link and the words must not stand ----------------------------------------------------------------


def test_T18_the_link_stands_in_no_log_no_json_no_page_and_no_mail_of_others(
    world: World, client_of: Clients, at: datetime, caplog: pytest.LogCaptureFixture
) -> None:
    """Every byte that anybody but the person is shown."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("django.request").addHandler(caplog.handler)
    with capture_logs() as lines:
        sent = waiting(world, at)
        token = token_of(sent, at)
        visitor = client_of("anonymous")
        for data in (None, {"act": "nonsense"}, {"act": "open"}, {"act": "confirm"}, {"act": "dispute"}, None):
            visitor.post(link(token), data) if data else visitor.get(link(token))
        pages = everything_shown(client_of, sent)
    logging.getLogger("django.request").removeHandler(caplog.handler)
    assert asked(sent).state == "disputed"
    assert len([line for line in lines if line.get("path") == "/attestations/link/.../"]) == 6
    assert token not in repr(lines)
    assert token not in caplog.text
    assert token not in pages
    held = [one.to for one in mail.outbox if token in str(one.message())]
    assert held == [["rae@referees.example"]]
    assert len(mail.outbox) > 2, "staff and applicant got mail"


def test_T18_a_fault_behind_the_link_writes_no_link(
    world: World, client_of: Clients, at: datetime, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen to fail without the filter of the settings."""
    token = token_of(waiting(world, at), at)
    monkeypatch.setattr("release_portal.pages.views.attesting.asked_facts", lambda _found: 1 / 0)
    logger = logging.getLogger("django.request")
    logger.addHandler(caplog.handler)
    try:
        assert client_of("anonymous").get(link(token)).status_code == 500
    finally:
        logger.removeHandler(caplog.handler)
    assert "ZeroDivisionError" in caplog.text
    assert token not in caplog.text


def everything_shown(client_of: Clients, sent: Application) -> str:
    """What the applicant and the staff read about an application, on pages and as JSON."""
    found = []
    for who, paths in (
        ("finn", (f"/applications/{sent.pk}/", "/notices/", "/account/data/", "/applications/")),
        ("ivy", (f"/staff/applications/{sent.pk}/", "/staff/applications/", "/notices/", "/staff/audit/")),
        ("ben", (f"/staff/applications/{sent.pk}/", "/notices/")),
        ("olu", ("/staff/mail/", "/notices/")),
    ):
        found += [client_of(who).get(path).content.decode() for path in paths]
    found.append(client_of("finn").post("/account/data/export/").content.decode())
    return "\n".join(found)


def test_reviewers_read_the_words_and_the_applicant_does_not(world: World, client_of: Clients, at: datetime) -> None:
    sent = waiting(world, at)
    confirm(token_of(sent, at), at, words="secret words", relation="colleague")
    page = client_of("ivy").get(f"/staff/applications/{sent.pk}/").content.decode()
    for words in ("secret words", "What exactly was confirmed", "The applicant says: supervisor", "relation_differs"):
        assert words in page
    finn = client_of("finn")
    for path in (f"/applications/{sent.pk}/", "/notices/", "/account/data/"):
        assert "secret words" not in finn.get(path).content.decode()
    assert "secret words" not in finn.post("/account/data/export/").content.decode()
    assert "confirmed" in finn.get(f"/applications/{sent.pk}/").content.decode()


def test_reviewers_read_why_it_cannot_be_approved_and_the_signal_of_not_me(
    world: World, client_of: Clients, at: datetime
) -> None:
    sent, ivy = waiting(world, at), client_of("ivy")
    address = f"/staff/applications/{sent.pk}/"
    page = ivy.get(address).content.decode()
    assert 'data-code="attestation_missing"' in page
    assert f'action="{address}approve/"' not in page
    assert f'action="{address}refuse/"' in page
    assert f'action="{address}ask/"' in page
    data = {"expected_version": str(sent.version), "functions": ["detect"], "last_day": str(sent.requested_end)}
    assert ivy.post(f"{address}approve/", data).status_code == 409
    client_of("anonymous").post(link(token_of(sent, at)), {"act": "dispute"})
    page = ivy.get(address).content.decode()
    assert 'data-code="integrity_check"' in page
    assert "integrity_check" not in client_of("finn").get(f"/applications/{sent.pk}/").content.decode()
    assert "says that the request is not theirs" in client_of("ivy").get("/notices/").content.decode()


def test_T6_a_reviewer_who_is_named_reads_why_they_do_not_decide(
    world: World, client_of: Clients, at: datetime
) -> None:
    sent = waiting(world, at)
    sent.attestations.update(mailbox=world.people["ben"].email)
    page = client_of("ben").get(f"/staff/applications/{sent.pk}/").content.decode()
    assert 'data-code="attester"' in page
    assert f"/staff/applications/{sent.pk}/claim/" not in page
    data = {"expected_version": str(sent.version), "code": "purpose_unclear", "explanation": "x"}
    assert client_of("ben").post(f"/staff/applications/{sent.pk}/refuse/", data).status_code == 403


def test_the_operator_sees_mail_to_somebody_without_an_account(world: World, client_of: Clients, at: datetime) -> None:
    draft = draft_of(world, at)
    name(world, draft, at)
    waiting(world, at, "lou")
    page = client_of("olu").get("/staff/mail/").content.decode()
    assert "Rae Referee, rae@referees.example, by address alone" in page
