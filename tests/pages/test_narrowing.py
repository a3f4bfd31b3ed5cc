"""Pages that take a size back: withdrawal by two people, recall, review and retirement, partner reports."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.urls import reverse

from release_portal.access.models import Grant, GrantFunction
from release_portal.moves.recalls import open_recall
from release_portal.registry.models import ModelSize
from release_portal.releases.models import Hold, PartnerReport, Recall, RecallNotice, Standing
from tests.world import PASSWORD, SERVED, World

Clients = Callable[[str], Any]
HERE = SERVED.split("/")
DAY = timedelta(days=1)
TOMBSTONE = {"what": "All weights.", "why": "Taken back.", "copies": "Two mirrors.", "replacement": "Another size"}


def page(response: Any) -> str:
    """The page in one line, as people read it."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def address(name: str) -> str:
    return reverse(name, args=HERE)


def version(world: World) -> str:
    return str(Standing.objects.get(size=world.size).version)


@pytest.fixture
def partner(world: World) -> Grant:
    made = Grant.objects.create(
        holder=world.people["finn"], kind="partner", purpose="x", starts_at=world.at - DAY, ends_at=world.at + DAY,
        tokens_per_day=10, requests_per_minute=10, concurrent=1, created_at=world.at,
    )  # fmt: skip
    made.sizes.add(world.size)
    GrantFunction.objects.create(grant=made, name="weights")
    return made


def test_two_people_withdraw_a_size_and_everybody_reads_why(world: World, client_of: Clients) -> None:
    ben, ada = client_of("ben"), client_of("ada")
    url = address("size-withdraw")
    sent = {**TOMBSTONE, "typed": "withdraw", "password": PASSWORD, "expected_version": version(world)}
    wrong = ben.post(url, {**sent, "password": "guess"})
    assert wrong.status_code == 400
    assert "The password is not right." in page(wrong)
    assert "guess" not in wrong.content.decode()
    assert "Two mirrors." in wrong.content.decode()
    assert ben.post(url, {**sent, "typed": ""}).status_code == 400
    assert ben.post(url, sent).status_code == 303
    assert "You proposed this; another person must confirm it." in page(ben.get(url))
    assert "This size was withdrawn." not in page(client_of("anonymous").get(address("size")))
    word = {"password": PASSWORD, "expected_version": version(world)}
    assert ben.post(url, word).status_code == 403
    assert ada.post(url, word).status_code == 303
    shown = page(client_of("anonymous").get(address("size")))
    for words in ("This size was withdrawn.", "Taken back.", "Two mirrors.", "Another size"):
        assert words in shown
    assert "Copies cannot be recalled." not in shown
    assert "withdrawn already" in page(ada.get(url))


def test_a_stale_withdrawal_keeps_its_text(world: World, client_of: Clients) -> None:
    sent = {**TOMBSTONE, "typed": "withdraw", "password": PASSWORD, "expected_version": "77"}
    stale = client_of("ben").post(address("size-withdraw"), sent)
    assert stale.status_code == 409
    assert "Taken back." in stale.content.decode()
    assert Standing.objects.get(size=world.size).tombstone == {}


def test_a_recall_is_opened_answered_by_its_recipient_and_closed(
    world: World, client_of: Clients, partner: Grant
) -> None:
    ben, finn = client_of("ben"), client_of("finn")
    url = address("size-recall")
    assert "1 holder of a grant for the weights will be told." in page(ben.get(url))
    assert ben.post(url, {"reason": ""}).status_code == 400
    assert ben.post(url, {"reason": "A flaw."}).status_code == 303
    notice, recall = RecallNotice.objects.get(), Recall.objects.get()
    own = reverse("recall-notice", args=[notice.pk])
    assert own in finn.get("/notices/").content.decode()
    assert "A flaw." in page(finn.get(own))
    assert client_of("cleo").get(own).status_code == 404
    assert finn.post(reverse("recall-notice-command", args=[notice.pk, "acknowledge"])).status_code == 303
    delete = reverse("recall-notice-command", args=[notice.pk, "delete"])
    assert finn.post(delete, {"statement": ""}).status_code == 400
    assert finn.post(delete, {"statement": "Erased."}).status_code == 303
    assert "100 % confirmed gone: 1 of 1 recipients" in page(ben.get(url))
    add = reverse("recall-command", args=[recall.pk, "add"])
    assert ben.post(add, {"name": "A mirror", "contact": ""}).status_code == 400
    assert ben.post(add, {"name": "A mirror", "contact": "mail"}).status_code == 303
    close = reverse("recall-command", args=[recall.pk, "close"])
    assert ben.post(close, {"note": "Kept.", "expected_version": "9"}).status_code == 409
    assert ben.post(close, {"note": "One is left.", "expected_version": "1"}).status_code == 303
    assert "One is left." in page(client_of("anonymous").get(address("size-timeline")))
    assert finn.get(add).status_code == 403
    assert ben.get(close).status_code == 303
    assert ben.post(reverse("recall-command", args=[recall.pk, "explode"])).status_code == 404
    assert finn.post(reverse("recall-notice-command", args=[notice.pk, "explode"])).status_code == 404


def test_a_size_that_was_open_says_that_copies_cannot_be_recalled(world: World, client_of: Clients) -> None:
    size = ModelSize.objects.get(slug="openai/gpt2-1558m")
    url = reverse("size-recall", args=[size.lab_slug, size.size_slug])
    open_recall(world.actor("ada"), size, reason="A flaw.", at=world.at)
    assert "Copies cannot be recalled." in page(client_of("ada").get(url))


def test_a_release_manager_reviews_a_stage_and_announces_a_retirement(world: World, client_of: Clients) -> None:
    ada, url = client_of("ada"), address("size-review")
    assert ada.post(url, {"reason": ""}).status_code == 400
    assert ada.post(url, {"reason": "Reports read; nothing new."}).status_code == 303
    assert "Reports read; nothing new." in page(client_of("anonymous").get(address("size-timeline")))
    announce = reverse("size-retirement", args=[*HERE, "announce"])
    for day in ("soon", "2020-01-01"):
        refused = ada.post(announce, {"sunset_at": day, "reason": "Superseded."})
        assert refused.status_code == 400
        assert 'id="id_announce_sunset_at_error"' in refused.content.decode()
        assert "Superseded." in refused.content.decode()
    day = f"{world.at + 99 * DAY:%Y-%m-%d}"
    assert ada.post(announce, {"sunset_at": day, "reason": "Superseded."}).status_code == 303
    assert "This size will be retired on" in page(client_of("anonymous").get(address("size")))


def test_a_retirement_is_called_off_on_the_same_page_only_while_one_is_announced(
    world: World, client_of: Clients
) -> None:
    ada, call_off = client_of("ada"), reverse("size-retirement", args=[*HERE, "call_off"])
    assert call_off not in ada.get(address("size-review")).content.decode()
    assert ada.post(call_off, {"reason": "x"}).status_code == 409
    Standing.objects.filter(size=world.size).update(sunset_at=world.at + 99 * DAY)
    assert call_off in ada.get(address("size-review")).content.decode()
    assert ada.post(call_off, {"reason": ""}).status_code == 400
    assert ada.post(call_off, {"reason": "The study goes on."}).status_code == 303
    assert "This size will be retired on" not in page(client_of("anonymous").get(address("size")))
    assert ada.post(reverse("size-retirement", args=[*HERE, "burn"]), {"reason": "x"}).status_code == 404


def test_an_archived_size_says_so_and_offers_no_further_retirement(world: World, client_of: Clients) -> None:
    tombstone = {"why": "A better one replaces it."}
    Standing.objects.filter(size=world.size).update(sunset_at=world.at, ending="archived", tombstone=tombstone)
    shown = page(client_of("anonymous").get(address("size")))
    assert "This size is retired and archived. Why: A better one replaces it." in shown
    review = client_of("ada").get(address("size-review")).content.decode()
    assert reverse("size-retirement", args=[*HERE, "announce"]) not in review


def test_a_missed_review_is_shown_to_everybody(world: World, client_of: Clients) -> None:
    Standing.objects.filter(size=world.size).update(since=world.at - 181 * DAY, reviewed_at=None)
    assert "The stage was to be reviewed by" in page(client_of("anonymous").get(address("size")))


def test_a_partner_deposits_a_report_that_staff_answer(world: World, client_of: Clients, partner: Grant) -> None:
    finn, hal, url = client_of("finn"), client_of("hal"), address("size-partner-reports")
    assert url in finn.get(address("size")).content.decode()
    assert url not in client_of("cleo").get(address("size")).content.decode()
    assert finn.post(url, {"report": ""}).status_code == 400
    assert finn.post(url, {"report": "<b>It lies.</b>", "is_adverse": "on"}).status_code == 303
    assert Hold.objects.get().raised_by == "system: release rule"
    shown = hal.get(url).content.decode()
    assert "&lt;b&gt;It lies." in shown
    assert "It lies." not in client_of("cleo").get(url).content.decode()
    answer = reverse("partner-report-answer", args=[PartnerReport.objects.get().pk])
    assert finn.post(answer, {"answer": "x"}).status_code == 403
    assert hal.post(answer, {"answer": ""}).status_code == 400
    assert hal.post(answer, {"answer": "We filter it."}).status_code == 303
    assert "We filter it." in page(finn.get(url))
    assert hal.get(answer).status_code == 303


def test_who_holds_no_partner_grant_reads_why_not(client_of: Clients) -> None:
    cleo, url = client_of("cleo"), address("size-partner-reports")
    assert "whose grant for this size is active" in page(cleo.get(url))
    assert cleo.post(url, {"report": "x"}).status_code == 403
