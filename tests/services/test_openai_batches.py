"""Files and batches of /v1, as clients send and read them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import AsyncClient

from inference.contract import (
    EmbedResult,
    FinishReason,
    Function,
    Order,
    Piece,
    Pooling,
    Priority,
    StreamKind,
    Usage,
    stream_key,
)
from release_portal.accounts.services import create_token
from release_portal.batches.feeding import advance_batch
from release_portal.batches.models import Batch
from release_portal.core.clock import now
from release_portal.generation import chat
from release_portal.jobs.models import Job
from release_portal.jobs.settle import Settlement
from tests import fakes
from tests.world import SERVED, World

pytestmark = pytest.mark.django_db(transaction=True)

FORM: dict[str, Any] = {"purpose": "batch"}
COMPLETIONS, CHATS, EMBEDDINGS = "/v1/completions", "/v1/chat/completions", "/v1/embeddings"
TALK = [{"role": "user", "content": "Hello"}]
VECTOR = (0.5, -1.0)
Send = Callable[..., Any]


@pytest.fixture
def send(world: World, service: redis.Redis) -> Send:
    """Send one request as somebody with a token that generates; a file goes as a form."""
    secrets: dict[tuple[str, tuple[str, ...]], str] = {}

    def secret(name: str, scopes: tuple[str, ...]) -> str:
        if (name, scopes) not in secrets:
            at = now() - timedelta(minutes=1)
            made = create_token(world.actor(name), world.people[name], name="t", scopes=scopes, at=at)
            secrets[name, scopes] = made[1]
        return secrets[name, scopes]

    def ask(method: str, path: str, body: Any = None, name: str = "cleo", scopes: Any = ("generate",)) -> Any:
        async def go() -> Any:
            client = AsyncClient(raise_request_exception=False)
            headers = {"Authorization": f"Bearer {token}"}
            if method == "upload":
                return await client.post(path, body, headers=headers)
            sent = () if body is None else (json.dumps(body), "application/json")
            answer = await getattr(client, method)(path, *sent, headers=headers)
            answer.read = b"".join([part async for part in answer]) if answer.streaming else answer.content
            return answer

        token = secret(name, tuple(scopes))
        return asyncio.run(go())

    return ask


def lines(*prompts: str, **body: Any) -> bytes:
    return lines_for(COMPLETIONS, *({"prompt": prompt, "max_tokens": 4, "seed": 1} | body for prompt in prompts))


def lines_for(url: str, *bodies: dict[str, Any]) -> bytes:
    asked = [
        {"custom_id": f"r{number}", "method": "POST", "url": url, "body": {"model": SERVED} | body}
        for number, body in enumerate(bodies, 1)
    ]
    return "\n".join(map(json.dumps, asked)).encode()


def upload(send: Send, content: bytes, name: str = "in.jsonl", **form: Any) -> Any:
    return send("upload", "/v1/files", FORM | form | {"file": SimpleUploadedFile(name, content)})


def made(send: Send, content: bytes, **more: Any) -> Any:
    file = upload(send, content).json()
    order = {"input_file_id": file["id"], "endpoint": "/v1/completions", "completion_window": "24h"} | more
    return send("post", "/v1/batches", order)


def error(answer: Any) -> tuple[int, str | None, str]:
    body = answer.json()["error"]
    return answer.status_code, body["param"], body["code"]


def carry_out(client: redis.Redis) -> None:
    """Advance, work off and settle until nothing is open."""
    while Batch.objects.open().exists():
        batch = Batch.objects.open().first()
        assert batch is not None
        advance_batch(batch.pk, at=now())
        for job in Job.objects.open():
            work_off(client, job)
        Settlement(client).consume()


def work_off(client: redis.Redis, job: Job) -> None:
    fakes.claim(client, job.pk)
    if job.function == Function.EMBED:
        body = EmbedResult.of(VECTOR, Pooling.MEAN, 5).to_json()
        client.xadd(stream_key(job.pk), {"kind": StreamKind.RESULT.value, "step": "1", "body": body})
        fakes.finish(client, job.pk, FinishReason.COMPLETE, usage=Usage(5, 0))
    else:
        fakes.deliver(client, job.pk, Piece(0, " so", 1, "length"))
        fakes.finish(client, job.pk, FinishReason.LENGTH, usage=Usage(5, 1))


def test_a_file_is_kept_listed_read_and_deleted(send: Send) -> None:
    content = lines("one")
    file = upload(send, content, name="my requests.jsonl").json()
    assert (file["object"], file["bytes"], file["purpose"], file["filename"], file["status"]) == (
        "file", len(content), "batch", "my requests.jsonl", "processed",
    )  # fmt: skip
    assert send("get", f"/v1/files/{file['id']}").json() == file
    assert send("get", "/v1/files").json()["data"] == [file]
    read = send("get", f"/v1/files/{file['id']}/content")
    assert (read.read, read["X-Content-Type-Options"]) == (content, "nosniff")
    for method, path in (("get", ""), ("get", "/content"), ("delete", "")):
        assert error(send(method, f"/v1/files/{file['id']}{path}", name="gia"))[0] == 404
    assert send("delete", f"/v1/files/{file['id']}").json() == {"id": file["id"], "object": "file", "deleted": True}
    assert error(send("get", f"/v1/files/{file['id']}")) == (404, None, "not_found")


def test_a_batch_runs_to_its_results(send: Send, service: redis.Redis) -> None:
    batch = made(send, lines("one", "two"), metadata={"run": "7"}).json()
    assert (batch["object"], batch["status"], batch["metadata"]) == ("batch", "in_progress", {"run": "7"})
    assert batch["expires_at"] - batch["created_at"] == 24 * 3600
    assert batch["request_counts"] == {"total": 2, "completed": 0, "failed": 0}
    carry_out(service)
    ended = send("get", f"/v1/batches/{batch['id']}").json()
    assert (ended["status"], ended["request_counts"]["completed"], ended["error_file_id"]) == ("completed", 2, None)
    assert ended["completed_at"] >= ended["finalizing_at"] >= ended["in_progress_at"] == ended["created_at"]
    read = send("get", f"/v1/files/{ended['output_file_id']}/content").read
    assert [json.loads(line)["custom_id"] for line in read.splitlines()] == ["r1", "r2"]
    (results,) = send("get", "/v1/files?purpose=batch_output").json()["data"]
    assert (results["id"], results["bytes"]) == (ended["output_file_id"], len(read))
    assert error(send("post", f"/v1/batches/{batch['id']}/cancel")) == (403, None, "state"), "never 409"


def test_wrong_lines_are_told_with_the_batch(send: Send) -> None:
    batch = made(send, lines("one", temperature=9) + b"\nnot json").json()
    assert (batch["status"], batch["in_progress_at"], batch["request_counts"]["total"]) == ("failed", None, 0)
    assert batch["failed_at"]
    assert [(one["line"], one["param"], one["code"]) for one in batch["errors"]["data"]] == [
        (1, "body.temperature", "invalid_input"),
        (2, None, "invalid_json_line"),
    ]
    assert not Job.objects.exists()


def test_a_cancelled_batch_is_over(send: Send) -> None:
    batch = made(send, lines("one", "two")).json()
    ended = send("post", f"/v1/batches/{batch['id']}/cancel").json()
    assert (ended["status"], ended["request_counts"]) == ("cancelled", {"total": 2, "completed": 0, "failed": 2})
    assert ended["cancelled_at"] >= ended["cancelling_at"]
    assert error(send("post", f"/v1/batches/{batch['id']}/cancel", name="gia"))[0] == 404


@pytest.mark.parametrize(
    ("more", "param", "code"),
    [
        ({"completion_window": "1h"}, "completion_window", "invalid_value"),
        ({"endpoint": "/v1/images"}, "endpoint", "invalid_value"),
        ({"endpoint": None}, "endpoint", "invalid_value"),
        ({"input_file_id": 7}, "input_file_id", "invalid_value"),
        ({"metadata": {"a": 1}}, "metadata", "invalid_value"),
        ({"metadata": {"a": "\ud800"}}, "metadata", "invalid_value"),
        ({"output_expires_after": {}}, "output_expires_after", "unsupported_parameter"),
        ({"colour": "red"}, "colour", "unknown_parameter"),
    ],
)
def test_what_a_batch_cannot_be_asked_for_is_refused_by_name(send: Send, more: Any, param: str, code: str) -> None:
    assert error(made(send, lines("one"), **more)) == (400, param, code)
    assert not Batch.objects.exists()


def test_what_is_no_file_of_requests_is_refused_by_name(send: Send, settings: Any) -> None:
    settings.BATCH_MAX_LINES = 2
    assert error(upload(send, b"")) == (400, "file", "file_empty")
    assert error(upload(send, b"1\n2\n3")) == (400, "file", "too_many_lines")
    assert error(upload(send, b"1", purpose="vision")) == (400, "purpose", "invalid_value")
    assert error(upload(send, b"1", **{"expires_after[seconds]": "3600"}))[0] == 400
    assert error(send("upload", "/v1/files", FORM))[:2] == (400, "file")
    assert error(send("post", "/v1/files", {"purpose": "batch"}))[:2] == (400, "purpose")


def test_lists_are_paged_by_a_cursor(send: Send) -> None:
    file = upload(send, lines("one")).json()
    order = {"input_file_id": file["id"], "endpoint": "/v1/completions", "completion_window": "24h"}
    ids = [send("post", "/v1/batches", order).json()["id"] for _ in range(3)]
    Batch.objects.update(created_at=now())  # all in the same moment: the id decides, and none is left out
    first = send("get", "/v1/batches?limit=2").json()
    second = send("get", f"/v1/batches?limit=2&after={first['last_id']}").json()
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert sorted(one["id"] for one in first["data"] + second["data"]) == sorted(ids)
    assert send("get", "/v1/batches", name="gia").json()["data"] == []
    assert error(send("get", "/v1/batches?after=nobodys")) == (400, "after", "invalid_input")
    for query in ("limit=0", "limit=101", "limit=x", "limit=%C2%B2"):
        assert error(send("get", f"/v1/batches?{query}"))[:2] == (400, "limit")
    assert error(send("get", "/v1/files?order=up"))[:2] == (400, "order")
    second_file = upload(send, lines("two")).json()
    ascending = send("get", "/v1/files?order=asc&limit=1").json()
    assert [one["id"] for one in ascending["data"]] == [file["id"]]
    after = send("get", f"/v1/files?order=asc&after={file['id']}").json()
    assert [one["id"] for one in after["data"]] == [second_file["id"]]


def test_a_token_needs_the_scope(send: Send) -> None:
    file = upload(send, lines("one")).json()
    assert send("get", f"/v1/files/{file['id']}", scopes=("jobs:read",)).status_code == 200
    assert error(send("delete", f"/v1/files/{file['id']}", scopes=("jobs:read",))) == (403, None, "scope")
    assert error(send("get", "/v1/files", scopes=("detect",))) == (403, None, "scope")


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(send: Send, settings: Any) -> None:
    settings.BATCH_MAX_BYTES, settings.BATCH_UPLOAD_MAX_BYTES = 1_000, 2_000
    assert error(upload(send, b"x" * 1_500)) == (400, "file", "file_too_large")
    assert upload(send, b"x" * 3_000).status_code == 413


def answers_of(send: Send, service: redis.Redis, batch: Any) -> list[Any]:
    """Work a batch off; return the bodies of its answers."""
    carry_out(service)
    ended = send("get", f"/v1/batches/{batch['id']}").json()
    assert (ended["status"], ended["error_file_id"]) == ("completed", None)
    read = send("get", f"/v1/files/{ended['output_file_id']}/content").read
    return [json.loads(line)["response"]["body"] for line in read.splitlines()]


def begun(service: redis.Redis, batch: Any) -> list[Order]:
    """Begin the lines of a batch; return what a worker is asked."""
    advance_batch(batch["id"], at=now())
    orders = [fakes.order_of(service, job.pk) for job in Job.objects.open()]
    return [order for order in orders if order is not None]


def test_conversations_are_answered_as_the_address_would(send: Send, service: redis.Redis) -> None:
    bodies = [{"messages": TALK, "max_tokens": 4, "seed": number} for number in (1, 2)]
    batch = made(send, lines_for(CHATS, *bodies), endpoint=CHATS).json()
    orders = begun(service, batch)
    for answer in answers_of(send, service, batch):
        assert answer["object"] == "chat.completion"
        (choice,) = answer["choices"]
        assert (choice["message"]["content"], choice["finish_reason"]) == (" so", "length")
        read = Job.objects.get(pk=answer["portal"]["job"]).prompt_tokens
        assert answer["usage"] == {"prompt_tokens": read, "completion_tokens": 1, "total_tokens": read + 1}
    assert len(orders) == 2
    for order in orders:
        assert order.priority is Priority.BATCH
        assert "Hello" in order.prompt
        assert order.prompt != "Hello", "the size's template wrote it"


@pytest.mark.parametrize("packing", ["float", "base64"])
def test_texts_are_embedded_as_the_address_would(send: Send, service: redis.Redis, packing: str) -> None:
    bodies = [{"input": text, "encoding_format": packing} for text in ("one", "two")]
    batch = made(send, lines_for(EMBEDDINGS, *bodies), endpoint=EMBEDDINGS).json()
    orders = begun(service, batch)
    for answer in answers_of(send, service, batch):
        (data,) = answer["data"]
        expected = list(VECTOR) if packing == "float" else EmbedResult.of(VECTOR, Pooling.MEAN, 5).vector
        read = Job.objects.get(pk=answer["portal"]["job"]).prompt_tokens
        assert (data["embedding"], answer["usage"]) == (expected, {"prompt_tokens": read, "total_tokens": read})
        assert answer["portal"]["pooling"] == "mean"
    assert [order.priority for order in orders] == [Priority.BATCH] * 2
    assert {job.charged_tokens for job in Job.objects.all()} == {5}


@pytest.mark.parametrize(
    ("url", "body", "param", "code"),
    [
        (CHATS, {"messages": []}, "body.messages", "invalid_value"),
        (CHATS, {"messages": TALK, "stream": True}, "body.stream", "unsupported_parameter"),
        (CHATS, {"messages": TALK, "temperature": 9}, "body.temperature", "invalid_input"),
        (CHATS, {"messages": [{"role": "user", "content": "x " * 3_000}]}, "body.messages", "context_exceeded"),
        (CHATS, {"messages": TALK, "model": "no/such"}, "body.model", "model_not_found"),
        (EMBEDDINGS, {"input": ["one", "two"]}, "body.input", "too_many_prompts"),
        (EMBEDDINGS, {"input": "one", "dimensions": 3}, "body.dimensions", "unsupported_parameter"),
        (EMBEDDINGS, {"input": "x " * 3_000}, "body.input", "context_exceeded"),
        (EMBEDDINGS, {"input": "one", "pooling": "sum"}, "body.pooling", "invalid_value"),
        (EMBEDDINGS, {"input": "one", "model": "no/such"}, "body.model", "model_not_found"),
    ],
)
def test_a_wrong_line_of_any_address_is_named_by_its_field(
    send: Send, service: redis.Redis, url: str, body: dict[str, Any], param: str, code: str
) -> None:
    batch = made(send, lines_for(url, body), endpoint=url).json()
    (problem,) = batch["errors"]["data"]
    assert (batch["status"], problem["line"], problem["param"], problem["code"]) == ("failed", 1, param, code)
    assert not Job.objects.exists()


def test_conversations_with_a_size_that_has_no_template_name_the_address_to_use(
    send: Send, service: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "_template", lambda *of: None)
    (problem,) = made(send, lines_for(CHATS, {"messages": TALK}), endpoint=CHATS).json()["errors"]["data"]
    assert problem["code"] == "unsupported_endpoint"
    assert "/v1/completions" in problem["message"]


@pytest.mark.parametrize(
    ("url", "body"),
    [(COMPLETIONS, {"prompt": "one"}), (CHATS, {"messages": TALK}), (EMBEDDINGS, {"input": "one"})],
)
def test_a_grant_that_ended_meanwhile_refuses_its_lines_as_the_address_would(
    world: World, send: Send, service: redis.Redis, url: str, body: dict[str, Any]
) -> None:
    batch = made(send, lines_for(url, body), endpoint=url).json()
    world.grants["cleo"].sizes.clear()
    carry_out(service)
    ended = send("get", f"/v1/batches/{batch['id']}").json()
    read = send("get", f"/v1/files/{ended['error_file_id']}/content").read
    response = json.loads(read)["response"]
    assert (response["status_code"], ended["request_counts"]["failed"]) == (403, 1)
    alone = send("post", url, {"model": SERVED} | body)
    assert response["body"] == alone.json(), "word for word what the address itself says"


def test_a_vector_that_was_lost_leaves_a_line_that_says_so(send: Send, service: redis.Redis) -> None:
    batch = made(send, lines_for(EMBEDDINGS, {"input": "one"}), endpoint=EMBEDDINGS).json()
    advance_batch(batch["id"], at=now())
    job = Job.objects.get()
    fakes.claim(service, job.pk)
    fakes.finish(service, job.pk, FinishReason.COMPLETE, usage=Usage(5, 0))
    Settlement(service).consume()
    advance_batch(batch["id"], at=now())
    ended = send("get", f"/v1/batches/{batch['id']}").json()
    read = send("get", f"/v1/files/{ended['error_file_id']}/content").read
    assert json.loads(read)["error"]["code"] == "answer_lost"
