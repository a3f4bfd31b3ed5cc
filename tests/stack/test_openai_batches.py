"""Batches of the unmodified OpenAI client against the running portal."""

from __future__ import annotations

import json
from typing import Any

import openai
import pytest

from tests.stack.conftest import MODEL
from tests.stack.portal import Portal, wait_for

pytestmark = pytest.mark.worker

PROMPTS = ["The capital of France is", "The sea is", "Two and two make"]


def upload(client: openai.OpenAI, *bodies: dict[str, Any], url: str = "/v1/completions") -> str:
    lines = [
        {"custom_id": f"r{number}", "method": "POST", "url": url, "body": {"model": MODEL} | body}
        for number, body in enumerate(bodies, 1)
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    return client.files.create(file=("requests.jsonl", content), purpose="batch").id


def begin(client: openai.OpenAI, *bodies: dict[str, Any], url: Any = "/v1/completions") -> str:
    file_id = upload(client, *bodies, url=url)
    return client.batches.create(input_file_id=file_id, endpoint=url, completion_window="24h").id


def ended(client: openai.OpenAI, batch_id: str, seconds: float = 120) -> Any:
    states = ("completed", "failed", "expired", "cancelled")
    return wait_for(
        lambda: (found := client.batches.retrieve(batch_id)).status in states and found, "the end of the batch", seconds
    )


def results(client: openai.OpenAI, file_id: str) -> dict[str, Any]:
    lines = client.files.content(file_id).text.splitlines()
    return {line["custom_id"]: line for line in map(json.loads, lines)}


def test_a_batch_answers_what_the_address_answers(portal: Portal, cleo: openai.OpenAI) -> None:
    asked = [{"prompt": prompt, "max_tokens": 8, "temperature": 0, "seed": 1} for prompt in PROMPTS]
    batch = ended(
        cleo, begin(cleo, *asked, {"prompt": "The sea is", "max_tokens": 4, "seed": 1, "logprobs": 2, "echo": True})
    )
    assert (batch.status, batch.request_counts.completed, batch.error_file_id) == ("completed", 4, None)
    answers = results(cleo, batch.output_file_id)
    assert list(answers) == ["r1", "r2", "r3", "r4"]
    for number, body in enumerate(asked, 1):
        alone = cleo.completions.create(model=MODEL, **body)
        answer = answers[f"r{number}"]["response"]
        assert (answer["status_code"], answer["body"]["choices"][0]["text"]) == (200, alone.choices[0].text)
        assert answer["body"]["usage"] == alone.usage.model_dump(
            include={"prompt_tokens", "completion_tokens", "total_tokens"}
        )
        assert portal.job(answer["request_id"])["state"] == "done"
    alone = cleo.completions.create(model=MODEL, prompt="The sea is", max_tokens=4, seed=1, logprobs=2, echo=True)
    told = answers["r4"]["response"]["body"]["choices"][0]
    assert told["text"] == alone.choices[0].text
    assert alone.choices[0].logprobs is not None
    assert told["logprobs"]["tokens"] == alone.choices[0].logprobs.tokens


def test_a_batch_of_conversations_answers_what_the_address_answers(cleo: openai.OpenAI) -> None:
    body = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8, "temperature": 0, "seed": 1}
    batch = ended(cleo, begin(cleo, body, url="/v1/chat/completions"))
    answer = results(cleo, batch.output_file_id)["r1"]["response"]["body"]
    alone = cleo.chat.completions.create(model=MODEL, **body)
    assert answer["choices"][0]["message"]["content"] == alone.choices[0].message.content


def test_a_batch_of_embeddings_answers_what_the_address_answers(cleo: openai.OpenAI) -> None:
    batch = ended(cleo, begin(cleo, *({"input": prompt} for prompt in PROMPTS), url="/v1/embeddings"))
    answers = results(cleo, batch.output_file_id)
    alone = cleo.embeddings.create(model=MODEL, input=PROMPTS, encoding_format="float")
    for number, expected in enumerate(alone.data, 1):
        vector = answers[f"r{number}"]["response"]["body"]["data"][0]["embedding"]
        assert vector == pytest.approx(expected.embedding, abs=1e-3)


def test_wrong_lines_are_read_by_the_client_and_nothing_runs(cleo: openai.OpenAI) -> None:
    batch = cleo.batches.retrieve(begin(cleo, {"prompt": "The sea is"}, {"prompt": "x", "temperature": 9}))
    assert batch.status == "failed"
    assert batch.errors is not None
    (problem,) = batch.errors.data or []
    assert (problem.line, problem.param) == (2, "body.temperature")


def test_a_cancelled_batch_keeps_what_is_done(cleo: openai.OpenAI) -> None:
    long = [{"prompt": PROMPTS[0], "max_tokens": 600, "seed": number, "stop": None} for number in range(40)]
    batch_id = begin(cleo, {"prompt": "The sea is", "max_tokens": 1, "seed": 1}, *long)
    wait_for(lambda: cleo.batches.retrieve(batch_id).request_counts.completed, "the first line", 60)
    assert cleo.batches.cancel(batch_id).status in ("cancelling", "cancelled")
    batch = ended(cleo, batch_id)
    assert batch.status == "cancelled"
    assert "r1" in results(cleo, batch.output_file_id)
    assert batch.request_counts.completed + batch.request_counts.failed == batch.request_counts.total == 41
    assert "batch_cancelled" in {line["error"]["code"] for line in results(cleo, batch.error_file_id).values()}


def test_a_portal_and_a_worker_that_are_killed_lose_no_line(portal: Portal, cleo: openai.OpenAI) -> None:
    bodies = [{"prompt": PROMPTS[number % 3], "max_tokens": 20, "seed": number} for number in range(30)]
    batch_id = begin(cleo, *bodies)
    wait_for(lambda: cleo.batches.retrieve(batch_id).request_counts.completed >= 2, "the first lines", 60)
    portal.kill("portal")
    portal.kill("worker")
    portal.wait_ready(120)
    batch = ended(cleo, batch_id, 400)  # what the dead worker had taken and not begun counts as lost after two minutes
    assert (batch.status, batch.request_counts.completed) == ("completed", 30)
    assert list(results(cleo, batch.output_file_id)) == [f"r{number}" for number in range(1, 31)]


def test_lists_and_deletions(cleo: openai.OpenAI) -> None:
    ids = {begin(cleo, {"prompt": "The sea is", "max_tokens": 1}) for _ in range(3)}
    assert ids <= {batch.id for batch in cleo.batches.list(limit=2)}
    file_id = upload(cleo, {"prompt": "The sea is"})
    assert file_id in {file.id for file in cleo.files.list(purpose="batch")}
    assert cleo.files.delete(file_id).deleted
    with pytest.raises(openai.NotFoundError):
        cleo.files.retrieve(file_id)
