"""The pages of the queue: search, several at once, questions at fields, the status, and the figures."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.urls import reverse

from release_portal.access.models import AgreementVersion, Application, Grant
from release_portal.access.queue.loads import balance_queue
from release_portal.access.reviews import ask_applicant
from release_portal.core.actors import system_actor
from release_portal.ops.demo import DEMO
from release_portal.ops.demo_applications import write_agreement
from tests.services.applying import submit
from tests.world import World

QUEUE, BATCH, FIGURES = reverse("review-queue"), reverse("review-batch"), reverse("review-figures")
DAY = timedelta(days=1)
EVIL = "<script>alert('x')</script>"
ClientOf = Callable[[str], Any]


@pytest.fixture(autouse=True)
def agreement(world: World, at: datetime) -> AgreementVersion:
    """The shipped agreement, in force."""
    return write_agreement(DEMO, at=at - 90 * DAY)


def shown(response: Any) -> str:
    """What a reader sees, without tags and doubled spaces."""
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def chosen(*applications: Application) -> list[str]:
    return [f"{one.pk}:{one.version}" for one in applications]


# --- Queue and search ------------------------------------------------------------------------------------------------


def test_the_queue_comes_in_pages_and_is_searched(client_of: ClientOf, world: World, at: datetime) -> None:
    finn, lou = submit(world, "finn", at - 9 * DAY), submit(world, "lou", at, affiliation="Institute of Tides")
    ivy = client_of("ivy")
    balance_queue(system_actor("sweeper"), at=at)
    page = shown(ivy.get(QUEUE))
    assert "expected of" in page
    assert "Who has how much in hand" in page
    assert "1 late" in page
    found = ivy.get(QUEUE, {"affiliation": "tides"}).content.decode()
    assert reverse("review", args=[lou.pk]) in found
    table = found.partition("<tbody>")[2].partition("</tbody>")[0]
    assert finn.pk not in table, "the search hides it, although it is what ivy is offered next"
    assert lou.pk in table
    assert "No application matches." in shown(ivy.get(QUEUE, {"id": "a-nothing"}))
    assert "No application matches." in shown(ivy.get(QUEUE, {"applicant": "%\x00'\""}))
    assert ivy.get(QUEUE, {"page": "999", "tier": "-1", "age": "1e9"}).status_code == 200


# --- Several at once -------------------------------------------------------------------------------------------------


def test_T5_a_batch_is_previewed_then_confirmed_with_one_result_for_each(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    ivy, finn, own = client_of("ivy"), submit(world, "finn", at), submit(world, "ivy", at, affiliation="This house")
    values = {"chosen": [*chosen(finn, own), "a-nothing:1"], "command": "refuse"}
    first = ivy.post(BATCH, values)
    assert first.status_code == 200
    assert "This is your own application." in shown(first)
    assert 'value="confirm"' not in first.content.decode(), "without a reason nothing can be carried out"
    words = {"code": "purpose_unclear", "words": "Say which question you study.", "act": "preview"}
    preview = ivy.post(BATCH, values | words)
    assert "would be carried out" in shown(preview)
    assert "Carry out 1" in shown(preview)
    assert Application.objects.filter(state="submitted").count() == 2, "nothing has happened yet"
    done = ivy.post(BATCH, values | words | {"act": "confirm"})
    assert "1 of 3 carried out" in shown(done)
    assert "This is your own application." in shown(done)
    assert Application.objects.get(pk=finn.pk).state == "refused"
    again = ivy.post(BATCH, values | words | {"act": "confirm"})
    assert "0 of 3 carried out" in shown(again), "sent twice, it is refused by state and version"


def test_a_batch_with_a_missing_reason_says_so_at_its_field(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    answer = client_of("ivy").post(BATCH, {"chosen": chosen(sent), "command": "refuse", "act": "preview", "words": "x"})
    assert 'id="id_batch_code_error"' in answer.content.decode()


@pytest.mark.parametrize(
    "values",
    [
        {"command": "refuse"},
        {"command": "grant", "chosen": ["a-1:1"]},
        {"command": "refuse", "chosen": ["a-1"]},
        {"command": "refuse", "chosen": ["a-1:x"]},
        {"command": "refuse", "chosen": ["a-1:1", "a-1:1"]},
    ],
)
def test_a_batch_that_makes_no_sense_leads_back(client_of: ClientOf, values: dict[str, Any]) -> None:
    answer = client_of("ivy").post(BATCH, values)
    assert answer.status_code == 400
    assert "Back to the queue" in shown(answer)


@pytest.mark.parametrize("name", ["finn", "cleo", "ada", "gia", "kim", "olu"])
def test_T4_nobody_else_gives_a_batch(client_of: ClientOf, world: World, at: datetime, name: str) -> None:
    sent = submit(world, "finn", at)
    values = {"chosen": chosen(sent), "command": "approve", "act": "confirm"}
    assert client_of(name).post(BATCH, values).status_code == 403
    assert not Grant.objects.filter(holder=world.people["finn"]).exists()


# --- Questions at fields ---------------------------------------------------------------------------------------------


def test_a_question_at_a_field_is_answered_by_changing_it_and_both_read_the_difference(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    ivy, finn, sent = client_of("ivy"), client_of("finn"), submit(world, "finn", at)
    review, own = reverse("review", args=[sent.pk]), reverse("application", args=[sent.pk])
    ask = {"expected_version": str(sent.version), "question": "", "question_intended_use": f"Who sees them? {EVIL}"}
    assert ivy.post(reverse("review-command", args=[sent.pk, "ask"]), ask).status_code == 303
    page = finn.get(own)
    text = page.content.decode()
    assert "asked about" not in shown(page), "it stands in the form alone"
    assert EVIL not in text
    assert 'name="intended_use"' in text
    assert 'name="purpose"' not in text, "nobody asked about it"
    version = str(Application.objects.get(pk=sent.pk).version)
    answer = {"expected_version": version, "answer": "", "intended_use": "Only we see them.", "purpose": "Another"}
    assert finn.post(reverse("application-command", args=[sent.pk, "answer"]), answer).status_code == 303
    now = Application.objects.get(pk=sent.pk)
    assert (now.intended_use, now.purpose) == ("Only we see them.", sent.purpose)
    for page in (finn.get(own), ivy.get(review)):
        text = page.content.decode()
        assert "<del>Counted, and kept for a year.</del>" in text
        assert "<ins>Only we see them.</ins>" in text


def test_an_answer_that_is_missing_comes_back_at_its_field_with_the_rest_kept(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    sent = submit(world, "finn", at)
    questions = {"affiliation": "Which group?", "requested_end": "Why so long?"}
    asked = ask_applicant(
        world.actor("ivy"), sent.pk, question="Why?", at_fields=questions, expected_version=sent.version, at=at
    )
    values = {
        "expected_version": str(asked.version),
        "answer": "Keep this.",
        "reply_affiliation": "This one.",
        "affiliation": sent.affiliation,
        "requested_end": "tomorrow",
    }
    finn, address = client_of("finn"), reverse("application-command", args=[sent.pk, "answer"])
    wrong = finn.post(address, values)
    assert wrong.status_code == 400
    assert 'id="id_answer_requested_end_error"' in wrong.content.decode()
    assert "Keep this." in wrong.content.decode()
    assert sent.requested_end is not None
    missing = finn.post(address, values | {"requested_end": sent.requested_end.isoformat()})
    assert 'id="id_answer_reply_requested_end_error"' in missing.content.decode()
    fine = finn.post(address, values | {"requested_end": (at + 9 * DAY).date().isoformat()})
    assert fine.status_code == 303


def test_a_question_at_no_field_is_refused_on_the_page(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "finn", at)
    answer = client_of("ivy").post(
        reverse("review-command", args=[sent.pk, "ask"]), {"expected_version": str(sent.version), "question": " "}
    )
    assert answer.status_code == 400
    assert 'id="id_ask_question_error"' in answer.content.decode()


def test_a_review_that_counts_no_more_says_so(client_of: ClientOf, world: World, at: datetime) -> None:
    sent = submit(world, "finn", at, purpose_code="P05")
    values = {
        "functions": ["detect"], "last_day": sent.requested_end.isoformat() if sent.requested_end else "",
        "tokens_per_day": "5", "requests_per_minute": "5", "concurrent": "1", "expected_version": str(sent.version),
    }  # fmt: skip
    ben, review = client_of("ben"), reverse("review", args=[sent.pk])
    ben.post(reverse("review-command", args=[sent.pk, "approve"]), values)
    asked = ask_applicant(world.actor("ivy"), sent.pk, question="Why?", expected_version=sent.version + 1, at=at)
    client_of("finn").post(
        reverse("application-command", args=[sent.pk, "answer"]),
        {"expected_version": str(asked.version), "answer": "So."},
    )
    page = shown(client_of("ivy").get(review))
    assert "counts no more" in page
    assert "The applicant changed or added something since." in page
    assert "Approve and give the grant" in shown(ben.get(review)), "ben may review what stands there now"


# --- Status and figures ----------------------------------------------------------------------------------------------


def test_the_status_page_says_step_owner_clock_and_what_to_expect(
    client_of: ClientOf, world: World, at: datetime
) -> None:
    sent = submit(world, "lou", at)
    page = client_of("lou").get(reverse("application", args=[sent.pk]))
    assert 'aria-current="step"' in page.content.decode()
    for text in (
        "Write and send done",
        "Review now",
        "Who acts next an access lead",
        "What is done next it is read and decided, or you are asked",
        "Place in the queue 1",
        "too few decisions in the last 90 days to say",
        "Clock rested never",
        "What happened",
    ):
        assert text in shown(page)


def test_the_figures_name_reviewers_and_no_applicant(client_of: ClientOf, world: World, at: datetime) -> None:
    submit(world, "lou", at)
    page = shown(client_of("hal").get(FIGURES))
    assert "too few to say" in page
    assert "under 2 days 1" in page
    assert "lou" not in page.lower().replace("loud", "")
