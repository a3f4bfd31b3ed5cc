"""What /v1 answers to a call, while a worker of the test says what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import AsyncClient

from inference.contract import FinishReason, Piece, SamplingSettings, TokenLogprob, Usage, cancel_key
from release_portal.accounts.services import create_token
from release_portal.celery import app
from release_portal.core.clock import now
from release_portal.generation import chat
from release_portal.jobs import relay
from release_portal.jobs.models import Job
from tests import fakes
from tests.threads import threads_of
from tests.world import END, SERVED, World

pytestmark = pytest.mark.django_db(transaction=True)

BODY = {"model": SERVED, "prompt": "Hello", "max_tokens": 4, "seed": 3}
NULL = object()  # sent as null; None is left out
Says = Callable[[str, SamplingSettings], FinishReason]
Script = list[Says]


@pytest.fixture
def secret(world: World) -> str:
    """A token of cleo's that generates."""
    at = now() - timedelta(minutes=1)
    return create_token(world.actor("cleo"), world.people["cleo"], name="t", scopes=("generate",), at=at)[1]


@pytest.fixture
def script(service: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Script:
    """What the worker does with the next requests, at the moment each is queued."""
    says: Script = []

    def send(name: str, args: list[str], **more: Any) -> None:
        order = fakes.order_of(service, args[0])
        assert order is not None
        if says:
            fakes.claim(service, args[0])
            reason = says.pop(0)(args[0], order.settings)
            fakes.finish(service, args[0], reason, usage=Usage(5, 2) if reason.is_success else Usage())

    monkeypatch.setattr(app, "send_task", send)
    return says


def saying(service: redis.Redis, *texts: str) -> Says:
    """A worker that says these tokens in each sample, and the prompt before them where it is asked for an echo."""

    def say(job_id: str, settings: SamplingSettings) -> FinishReason:
        for sample in range(settings.samples):
            if settings.echo:
                fakes.deliver(service, job_id, Piece(sample, "Hello", 0, None, told(settings, "Hello", first=True)))
            for number, text in enumerate(texts, 1):
                finish = "length" if number == len(texts) else None
                fakes.deliver(service, job_id, Piece(sample, text, number, finish, told(settings, text)))
        return FinishReason.LENGTH

    return say


def told(settings: SamplingSettings, text: str, *, first: bool = False) -> tuple[TokenLogprob, ...]:
    if settings.logprobs is None:
        return ()
    top = (("x", -0.5), (text, -1.0))[: settings.logprobs]
    return (TokenLogprob(text, None if first else -1.0, () if first else top),)


def failing(reason: FinishReason) -> Says:
    return lambda job_id, settings: reason


async def send(secret: str, address: str = "completions", **more: Any) -> Any:
    """Send one call and read its whole answer."""
    client = AsyncClient(raise_request_exception=False)
    headers = {"Authorization": f"Bearer {secret}"}
    given = {name: value for name, value in (BODY | more).items() if value is not None}
    body = json.dumps({name: None if value is NULL else value for name, value in given.items()})
    answer = await client.post(f"/v1/{address}", body, "application/json", headers=headers)
    answer.read = b"".join([part async for part in answer]) if answer.streaming else answer.content
    return answer


def ask(secret: str, address: str = "completions", **more: Any) -> Any:
    return asyncio.run(send(secret, address, **more))


def events(answer: Any) -> list[Any]:
    """The events of a stream; the last of a good one is [DONE]."""
    lines = [line[6:] for line in answer.read.decode().split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


def test_the_choices_of_several_prompts_are_numbered_prompt_by_prompt(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [saying(service, " one", "."), saying(service, " two", ".")]
    answer = ask(secret, prompt=["Hello", "World"], n=2).json()
    assert [(one["index"], one["text"]) for one in answer["choices"]] == [
        (0, " one."), (1, " one."), (2, " two."), (3, " two."),
    ]  # fmt: skip
    assert answer["usage"] == {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14}
    assert answer["portal"]["jobs"] == [job.pk for job in Job.objects.order_by("created_at", "pk")] or set(
        answer["portal"]["jobs"]
    ) == set(Job.objects.values_list("pk", flat=True))
    assert answer["id"] == f"cmpl-{answer['portal']['jobs'][0]}"


@pytest.mark.parametrize(("is_stream", "prompt"), [(False, "Hello"), (True, "Hello"), (True, ["Hello", "World"])])
def test_a_call_goes_to_a_thread_once_from_the_token_to_the_queue(
    world: World, service: redis.Redis, secret: str, script: Script, is_stream: bool, prompt: Any
) -> None:
    """And once for Django's own signal at its beginning; what is read of the answer holds no thread."""
    script += [saying(service, " one", ".")] * 2
    answer, threads = threads_of(send, secret, stream=is_stream, prompt=prompt)
    assert (answer.status_code, threads) == (200, 2)


def test_a_stream_of_several_prompts_ends_once_with_the_sum_of_their_tokens(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [saying(service, " one", "."), saying(service, " two", ".")]
    answer = ask(secret, prompt=["Hello", "World"], stream=True, stream_options={"include_usage": True})
    *chunks, usage, done = events(answer)
    texts = {0: "", 1: ""}
    for chunk in chunks:
        assert chunk["usage"] is None
        texts[chunk["choices"][0]["index"]] += chunk["choices"][0]["text"]
    assert texts == {0: " one.", 1: " two."}
    assert (usage["choices"], usage["usage"]["total_tokens"], done) == ([], 14, "[DONE]")


def test_an_echo_says_the_prompt_and_the_first_of_its_tokens_has_no_likelihood(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [saying(service, " you", "!")] * 2
    whole = ask(secret, echo=True, logprobs=1).json()["choices"][0]
    assert whole["text"] == "Hello you!"
    assert whole["logprobs"] == {
        "tokens": ["Hello", " you", "!"],
        "token_logprobs": [None, -1.0, -1.0],
        "top_logprobs": [None, {"x": -0.5, " you": -1.0}, {"x": -0.5, "!": -1.0}],
        "text_offset": [0, 5, 9],
    }
    *chunks, _ = events(ask(secret, echo=True, logprobs=1, stream=True))
    streamed = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    for name in whole["logprobs"]:
        assert [one for part in streamed for one in part[name]] == whole["logprobs"][name]


def test_whom_a_client_asks_for_is_kept_as_a_mark_on_every_job_and_told_to_nobody(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [saying(service, " you")] * 3
    answer = ask(secret, prompt=["Hello", "World"], user="patient 17")
    assert ask(secret, safety_identifier="patient 17").status_code == 200
    marks = {job.end_user for job in Job.objects.all()}
    assert len(marks) == 1
    assert "patient" not in marks.pop()
    assert "patient" not in answer.content.decode()


def test_null_asks_the_model_to_begin_where_its_texts_begin(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [saying(service, " you")]
    assert ask(secret, prompt=NULL).json()["choices"][0]["text"] == " you"
    job = Job.objects.get()
    assert (job.prompt, job.prompt_tokens) == (END, 1)


def test_a_size_without_a_chat_template_says_which_address_to_use(
    world: World, service: redis.Redis, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat, "_template", lambda *of: None)
    messages = [{"role": "user", "content": "Hi"}]
    answer = ask(secret, "chat/completions", prompt=None, messages=messages)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unsupported_endpoint")
    assert "Use /v1/completions." in answer.json()["error"]["message"]


@pytest.mark.parametrize("end", ["\u0085", "\u2028", "\u2029", "\u000b", "\u001c", "\r", "\n"])
def test_an_event_is_one_line_by_whichever_rule_its_reader_splits(
    world: World, service: redis.Redis, secret: str, script: Script, end: str
) -> None:
    """Many clients split where Unicode ends a line; chaos under load found one that read half an event."""
    script += [saying(service, f"a{end}é", "c")]
    lines = ask(secret, stream=True).read.decode().splitlines()
    assert all(line == "" or line.startswith("data: ") for line in lines)
    told = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    assert "".join(choice["text"] for event in told for choice in event["choices"]) == f"a{end}éc"


def test_every_chunk_says_that_its_usage_comes_last(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [saying(service, " you", " two")]
    *chunks, last, _done = events(ask(secret, stream=True, stream_options={"include_usage": True}))
    assert [chunk["usage"] for chunk in chunks] == [None] * 2
    assert (last["choices"], last["usage"]["completion_tokens"]) == ([], 2)


def test_a_quiet_stream_says_that_it_lives(
    world: World, service: redis.Redis, secret: str, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "BLOCK_MS", 1)
    monkeypatch.setattr(relay, "KEEP_ALIVE_SECONDS", 0.0)

    async def read() -> list[bytes]:
        parts: list[bytes] = []
        headers = {"Authorization": f"Bearer {secret}"}
        body = json.dumps(BODY | {"stream": True})
        answer = await AsyncClient().post("/v1/completions", body, "application/json", headers=headers)
        async for part in answer.streaming_content:
            if not parts:  # only now does the worker begin
                job = await Job.objects.aget()
                fakes.deliver(service, job.pk, Piece(0, " you", 1, "length"))
                fakes.finish(service, job.pk, FinishReason.LENGTH, usage=Usage(5, 1))
            parts.append(part)
        return parts

    first, *_, last = asyncio.run(read())
    assert (first, last) == (b": waiting\n\n", b"data: [DONE]\n\n")


def test_nobody_who_did_not_ask_reads_likelihoods(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [saying(service, " you")] * 2
    assert ask(secret).json()["choices"][0]["logprobs"] is None
    assert events(ask(secret, stream=True))[0]["choices"][0]["logprobs"] is None


def test_an_overloaded_worker_is_a_429_that_says_when(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [failing(FinishReason.OVERLOADED)] * 2
    answer = ask(secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "overloaded")
    assert answer.json()["error"]["type"] == "rate_limit_error"
    assert answer["x-should-retry"] == "true"
    assert int(answer["retry-after-ms"]) == int(answer["Retry-After"]) * 1_000 <= 15_000
    assert answer["x-ratelimit-limit-requests"]
    *_, error = events(ask(secret, stream=True))
    assert (error["error"]["code"], error["error"]["type"]) == ("overloaded", "rate_limit_error")


@pytest.mark.parametrize(
    ("reason", "status"),
    [(FinishReason.STOPPED, 403), (FinishReason.INVALID, 400), (FinishReason.WORKER_LOST, 503)],
)
def test_another_failure_has_its_own_status_and_a_stream_says_it_last(
    world: World, service: redis.Redis, secret: str, script: Script, reason: FinishReason, status: int
) -> None:
    script += [failing(reason)] * 2
    answer = ask(secret)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, reason.value)
    *_, error = events(ask(secret, stream=True, stream_options={"include_usage": True}))
    assert error["error"]["code"] == reason.value


def test_when_one_prompt_fails_the_others_are_stopped(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    """The second stays in the queue. Seen to fail without the `finally` of `_events`."""
    script += [failing(FinishReason.ENGINE_FAILED)]
    assert ask(secret, prompt=["Hello", "World"]).status_code == 503
    marked = {job.prompt: bool(service.exists(cancel_key(job.pk))) for job in Job.objects.all()}
    assert marked == {"Hello": False, "World": True}


def test_every_answer_says_which_request_it_was_and_how_long_it_took(
    world: World, service: redis.Redis, secret: str, script: Script
) -> None:
    script += [saying(service, " you")]
    for answer, status in ((ask(secret), 200), (ask(secret, n=99), 400), (ask("wrong"), 401)):
        assert answer.status_code == status
        assert answer["x-request-id"].startswith("req-")
        assert answer["openai-version"] == "2020-10-01"
        assert int(answer["openai-processing-ms"]) >= 0


def test_a_wrong_field_bears_the_clients_name(world: World, service: redis.Redis, secret: str, script: Script) -> None:
    for more, param in (
        ({"n": 5}, "n"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": ["Hello", ""]}, "prompt"),
        ({"presence_penalty": 2.5}, "presence_penalty"),
        ({"repetition_penalty": 0}, "repetition_penalty"),
        ({"logit_bias": {"256": 1}}, "logit_bias"),
        ({"metadata": {"purpose": "P99"}}, "metadata.purpose"),
    ):
        answer = ask(secret, **more)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert not Job.objects.exists()
