"""The detection pages: the form or the reasons, the report while it waits and when it is there, nobody else's."""

from __future__ import annotations

import re
from datetime import datetime
from html import unescape
from typing import Any

import pytest
import redis

from inference.contract import FinishReason
from release_portal.detection.models import DetectionReport
from release_portal.jobs.models import Job
from release_portal.provenance.services import write_fingerprints
from tests.rules.test_fingerprint import GENERATED, UNRELATED
from tests.services.test_detection import score, settled
from tests.world import SERVED

ADDRESS = "/detection/"


def text_of(response: Any) -> str:
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", response.content.decode())))


@pytest.fixture
def cleo(client_of: Any, service: redis.Redis) -> Any:
    return client_of("cleo")


@pytest.fixture
def send(cleo: Any, committed: Any) -> Any:
    """Return a function that sends the form as cleo."""

    def make(text: str, client: Any = cleo, **more: str) -> Any:
        with committed():
            return client.post(ADDRESS, {"size": SERVED, "text": text, "submit_key": "k-1", **more})

    return make


def test_the_form_names_its_limits_and_what_it_cannot_say(cleo: Any) -> None:
    response = cleo.get(ADDRESS)
    said = text_of(response)
    assert response.status_code == 200
    assert "At least 64 tokens" in said
    assert "Who wrote the text" in said
    assert 'data-keep="detection"' in response.content.decode()


def test_an_anonymous_visitor_is_asked_to_sign_in(client_of: Any) -> None:
    for address in (ADDRESS, f"{ADDRESS}det-1/", f"{ADDRESS}det-1/result/"):
        assert client_of("anonymous").get(address).status_code == 401


def test_without_a_grant_the_reasons_stand_in_place_of_the_form(client_of: Any) -> None:
    response = client_of("finn").get(ADDRESS)
    said = text_of(response)
    assert "<textarea" not in response.content.decode()
    assert "You hold no grant for this size" in said
    assert "Apply for access to this size" in said


def test_without_a_grant_a_sent_text_is_refused_and_kept(client_of: Any, send: Any) -> None:
    response = send(GENERATED, client_of("finn"))
    assert response.status_code == 403
    assert "You hold no grant for this size" in text_of(response)
    assert GENERATED in unescape(response.content.decode())
    assert not DetectionReport.objects.exists()


def test_a_text_leads_to_its_report_once(send: Any) -> None:
    first, second = send(GENERATED), send(GENERATED)
    report = DetectionReport.objects.get()
    assert (first.status_code, first["Location"]) == (303, f"{ADDRESS}{report.pk}/")
    assert second["Location"] == first["Location"]
    assert Job.objects.count() == 1


@pytest.mark.parametrize("text", ["", "too short", "x" * 3_000, "x" * 70 + "\x04"])
def test_a_refused_text_comes_back_with_the_error_at_its_field(send: Any, text: str) -> None:
    response = send(text)
    page = response.content.decode()
    assert response.status_code == 400
    assert 'id="id_text_error"' in page
    assert 'href="#id_text"' in page
    assert text in unescape(page)
    assert not DetectionReport.objects.exists()


@pytest.mark.parametrize("size", ["nobody/nothing", "", "\x00", "openai/gpt2-124m"])
def test_a_size_that_is_not_open_is_an_answer_not_a_fault(send: Any, size: str) -> None:
    response = send(GENERATED, size=size)
    assert response.status_code in (404, 409)
    assert GENERATED in unescape(response.content.decode())


def test_html_in_a_text_stays_text(send: Any, cleo: Any) -> None:
    location = send("<script>alert(1)</script> " * 4)["Location"]
    for address in (ADDRESS, location):
        assert "<script>alert" not in cleo.get(address).content.decode()


def test_a_waiting_report_polls_and_its_fragment_says_202(send: Any, cleo: Any) -> None:
    location = send(GENERATED)["Location"]
    page = cleo.get(location).content.decode()
    assert f'hx-get="{location}result/"' in page
    assert "<noscript>" in page
    response = cleo.get(f"{location}result/")
    assert response.status_code == 202
    assert "hx-get" in response.content.decode()
    assert "<html" not in response.content.decode()


def test_a_scored_report_shows_every_token_with_its_class(send: Any, cleo: Any, at: datetime) -> None:
    location = send(GENERATED)["Location"]
    settled(DetectionReport.objects.get(), score(GENERATED), FinishReason.COMPLETE, at)
    for address in (location, f"{location}result/"):
        response = cleo.get(address)
        page = response.content.decode()
        shown = re.findall(r'<span class="tok rank-(\d)" title="rank (\d+),', page)
        assert response.status_code == 200
        assert "hx-get" not in page
        assert len(shown) == len(GENERATED) - 1
        assert {(number, rank) for number, rank in shown} == {("1", "1"), ("2", "50"), ("3", "500"), ("4", "5000")}
        said = text_of(response)
        assert "not calibrated" in said
        assert GENERATED in said
    assert "This is evidence, not proof" in text_of(cleo.get(location))


def test_a_failed_report_says_so_and_offers_to_ask_again(send: Any, cleo: Any, at: datetime) -> None:
    location = send(GENERATED)["Location"]
    report = settled(DetectionReport.objects.get(), [], FinishReason.WORKER_LOST, at)
    page = cleo.get(location).content.decode()
    assert "The worker stopped answering" in page or "the worker stopped answering" in page
    assert f"{ADDRESS}?from={report.pk}" in page
    assert GENERATED in unescape(cleo.get(f"{ADDRESS}?from={report.pk}").content.decode())


def test_the_record_marks_the_served_passage_and_names_nobody(send: Any, cleo: Any, at: datetime) -> None:
    send(UNRELATED, submit_key="k-0")
    served = Job.objects.get()
    write_fingerprints(served, [{"text": GENERATED}], at)
    page = cleo.get(send(f"In the interview that followed she said: {GENERATED}")["Location"]).content.decode()
    (marked,) = re.findall(r"<mark>(.*?)</mark>", page, re.DOTALL)
    assert unescape(marked) in GENERATED
    assert "1 generation matches" in page
    assert served.pk not in page


@pytest.mark.parametrize("name", ["finn", "ada", "ben"])
def test_nobody_else_reads_a_report(send: Any, client_of: Any, name: str) -> None:
    location = send(GENERATED)["Location"]
    other = client_of(name)
    assert other.get(location).status_code == 404
    assert other.get(f"{location}result/").status_code == 404
    assert location not in other.get(ADDRESS).content.decode()


def test_the_history_lists_own_reports_and_generations_do_not(send: Any, cleo: Any) -> None:
    location = send(GENERATED)["Location"]
    job = Job.objects.get()
    assert location in cleo.get(ADDRESS).content.decode()
    assert job.pk not in cleo.get("/generations/").content.decode()
    assert cleo.get(f"/generations/{job.pk}/").status_code == 404


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(cleo: Any, method: str) -> None:
    assert getattr(cleo, method)(ADDRESS).status_code == 405
