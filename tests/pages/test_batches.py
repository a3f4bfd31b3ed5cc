"""The pages of batches: a file is sent, read, worked off, taken out, cancelled; every wrong line is shown."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from inference.contract import FinishReason, Piece, Usage
from release_portal.batches.feeding import advance_batch
from release_portal.batches.models import Batch, BatchFile
from release_portal.core.clock import now
from release_portal.jobs.models import Job
from release_portal.jobs.settle import Settlement
from tests import fakes
from tests.pages.test_pages import text_of
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db
ClientOf = Callable[[str], Client]
Committed = Callable[[], Any]


def content_of(*bodies: Any) -> bytes:
    lines = [
        {"custom_id": f"r{number}", "method": "POST", "url": "/v1/completions", "body": {"model": SERVED} | body}
        for number, body in enumerate(bodies, 1)
    ]
    return "\n".join(map(json.dumps, lines)).encode()


def send(client: Client, content: bytes, key: str = "", name: str = "mine.jsonl") -> Any:
    form = {"file": SimpleUploadedFile(name, content), "submit_key": key}
    return client.post(reverse("batches"), form)


def carry_out(service: redis.Redis, committed: Committed) -> None:
    batch = Batch.objects.get()
    with committed():
        advance_batch(batch.pk, at=now())
    for job in Job.objects.open():
        fakes.claim(service, job.pk)
        fakes.deliver(service, job.pk, Piece(0, " so", 1, "length"))
        fakes.finish(service, job.pk, FinishReason.LENGTH, usage=Usage(5, 1))
    with committed():
        Settlement(service).consume()
        advance_batch(batch.pk, at=now())


def test_a_file_is_sent_watched_and_its_results_taken_out(
    world: World, service: redis.Redis, committed: Committed, client_of: ClientOf
) -> None:
    client = client_of("cleo")
    assert "Your batches appear here." in text_of(client.get(reverse("batches")))
    with committed():
        sent = send(client, content_of({"prompt": "one"}, {"prompt": "two"}))
    batch = Batch.objects.get()
    assert (sent.status_code, sent["Location"]) == (303, reverse("batch", args=[batch.pk]))
    page = client.get(sent["Location"])
    assert "0 of 2 requests ended" in text_of(page)
    assert f'hx-get="{reverse("batch-progress", args=[batch.pk])}?whole=1"' in page.content.decode()
    listed = text_of(client.get(reverse("batches")))
    assert "mine.jsonl" in listed
    assert "in progress" in listed
    carry_out(service, committed)
    fragment = client.get(reverse("batch-progress", args=[batch.pk]), {"whole": "1"}).content.decode()
    assert "hx-get" not in fragment, "what has ended is not asked for again"
    assert 'id="batch-result" hx-swap-oob="true"' in fragment
    facts = fragment.partition('id="batch-facts" hx-swap-oob="true"')[2]
    assert "Ended" in facts
    assert "Expires" not in facts
    batch.refresh_from_db()
    taken = client.get(reverse("batch-file", args=[batch.output_file_id]))
    assert [json.loads(line)["custom_id"] for line in taken.content.splitlines()] == ["r1", "r2"]
    assert taken["Content-Disposition"] == f'attachment; filename="{batch.pk}_output.jsonl"'
    assert "sandbox" in taken["Content-Security-Policy"]


def test_every_wrong_line_is_shown_with_its_number_and_field(
    world: World, service: redis.Redis, client_of: ClientOf
) -> None:
    client = client_of("cleo")
    page = client.get(send(client, content_of({"prompt": "one"}, {"prompt": "x", "temperature": 9}, {}))["Location"])
    text = text_of(page)
    assert "2 lines are wrong" in text
    assert "body.temperature" in text
    assert "body.prompt" in text
    assert "not begun: lines are wrong" in text
    assert not Job.objects.exists()


def test_so_many_wrong_lines_are_paged(world: World, service: redis.Redis, client_of: ClientOf) -> None:
    client = client_of("cleo")
    address = send(client, content_of(*[{"prompt": "x", "n": 99}] * 60))["Location"]
    assert "1 to 50 of 60" in text_of(client.get(address))
    assert "51 to 60 of 60" in text_of(client.get(address, {"page": 2}))


def test_a_file_that_is_none_is_refused_at_its_field(world: World, service: redis.Redis, client_of: ClientOf) -> None:
    client = client_of("cleo")
    for answer in (client.post(reverse("batches"), {}), send(client, b" \n")):
        assert answer.status_code == 400
        assert 'href="#id_file"' in answer.content.decode()
    assert not BatchFile.objects.exists()


def test_a_file_says_itself_which_address_its_requests_are_for(
    world: World, service: redis.Redis, client_of: ClientOf
) -> None:
    line = {"custom_id": "r1", "method": "POST", "url": "/v1/embeddings", "body": {"model": SERVED, "input": "Hello"}}
    address = send(client_of("cleo"), json.dumps(line).encode())["Location"]
    batch = Batch.objects.get()
    assert (batch.endpoint, batch.state) == ("/v1/embeddings", "in_progress")
    assert "/v1/embeddings" in text_of(client_of("cleo").get(address))


def test_a_file_that_names_no_address_is_refused_line_by_line(
    world: World, service: redis.Redis, client_of: ClientOf
) -> None:
    line = {"custom_id": "r1", "method": "POST", "url": "/v1/images", "body": {"model": SERVED}}
    address = send(client_of("cleo"), json.dumps(line).encode())["Location"]
    assert "/v1/completions&quot;, the endpoint of the batch" in client_of("cleo").get(address).content.decode()


def test_a_second_click_makes_no_second_batch(world: World, service: redis.Redis, client_of: ClientOf) -> None:
    client = client_of("cleo")
    sent = {send(client, content_of({"prompt": "one"}), key="k")["Location"] for _ in range(2)}
    assert (len(sent), Batch.objects.count(), BatchFile.objects.count()) == (1, 1, 1)


def test_who_has_no_size_reads_why_and_sends_nothing(world: World, service: redis.Redis, client_of: ClientOf) -> None:
    page = client_of("finn").get(reverse("batches"))
    assert "Why no size is open to you" in text_of(page)
    assert b'type="file"' not in page.content
    assert send(client_of("finn"), content_of({"prompt": "one"})).status_code == 403


def test_the_example_on_the_page_is_a_file_that_is_taken(
    world: World, service: redis.Redis, client_of: ClientOf
) -> None:
    client = client_of("cleo")
    example = client.get(reverse("batches")).context["example"]
    send(client, example.encode())
    assert Batch.objects.get().state == "in_progress"


def test_cancelling_asks_first_and_keeps_what_is_done(
    world: World, service: redis.Redis, committed: Committed, client_of: ClientOf
) -> None:
    client = client_of("cleo")
    send(client, content_of({"prompt": "one"}))
    batch = Batch.objects.get()
    address = reverse("batch-cancel", args=[batch.pk])
    assert address in client.get(reverse("batch", args=[batch.pk])).content.decode()
    assert "Results that are there are kept" in text_of(client.get(address))
    assert Batch.objects.get().state == "in_progress", "asking changes nothing"
    with committed():
        assert client.post(address)["Location"] == reverse("batch", args=[batch.pk])
    page = text_of(client.get(reverse("batch", args=[batch.pk])))
    assert "cancelled" in page
    assert "the batch was cancelled" in page
    assert "There is nothing to cancel." in text_of(client.get(address))
    assert client.post(address).status_code == 409


def test_a_file_is_deleted_by_its_owner_alone(world: World, service: redis.Redis, client_of: ClientOf) -> None:
    client = client_of("cleo")
    send(client, content_of({"prompt": "one"}))
    batch = Batch.objects.get()
    address = reverse("batch-file-delete", args=[batch.input_file_id])
    for name in ("finn", "gia", "ada"):
        other = client_of(name)
        assert other.post(address).status_code == 404
        for url in ("batch", "batch-progress", "batch-cancel"):
            assert other.get(reverse(url, args=[batch.pk])).status_code == 404
        assert other.get(reverse("batch-file", args=[batch.input_file_id])).status_code == 404
    assert client.get(address)["Location"] == reverse("batches"), "an address that is only read deletes nothing"
    assert client.post(address, {"batch": batch.pk})["Location"] == reverse("batch", args=[batch.pk])
    assert not BatchFile.objects.exists()


def test_the_list_is_paged(world: World, service: redis.Redis, client_of: ClientOf) -> None:
    at = now()
    Batch.objects.bulk_create(
        Batch(
            owner=world.people["cleo"], endpoint="/v1/completions", input_file_id="file-x", state="completed",
            created_at=at - timedelta(minutes=number), expires_at=at,
        )
        for number in range(30)
    )  # fmt: skip
    assert "1 to 25 of 30" in text_of(client_of("cleo").get(reverse("batches")))
