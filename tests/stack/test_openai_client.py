"""The unmodified OpenAI client against the running portal."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import openai
import pytest
from tokenizers import Tokenizer

from tests.stack.conftest import MODEL
from tests.stack.portal import Portal, wait_for

pytestmark = pytest.mark.worker

STREAMS = 20
As = Callable[[str], openai.OpenAI]


@pytest.fixture
def client_as(portal: Portal) -> Iterator[As]:
    opened: list[openai.OpenAI] = []

    def client(token: str) -> openai.OpenAI:
        opened.append(openai.OpenAI(base_url=f"{portal.url}/v1", api_key=token, max_retries=0, timeout=120))
        return opened[-1]

    yield client
    for one in opened:
        one.close()


def job_of(answer_id: str) -> str:
    return "job-" + answer_id.partition("-job-")[2]


def test_the_list_holds_what_the_caller_may_generate_with(portal: Portal, cleo: openai.OpenAI, client_as: As) -> None:
    (model,) = cleo.models.list().data
    assert model.id == MODEL
    assert cleo.models.retrieve(MODEL).model_extra == model.model_extra
    assert model.model_extra is not None
    assert model.model_extra["release_stage"] == "research_hosted"
    assert client_as(portal.token("finn")).models.list().data == []


def test_a_completion_says_how_it_was_made(portal: Portal, cleo: openai.OpenAI) -> None:
    answer = cleo.completions.create(model=MODEL, prompt="The capital of France is", max_tokens=12, seed=7)
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert answer.model_extra is not None
    made = answer.model_extra["portal"]
    assert (made["stage"], made["seed"]) == ("research_hosted", 7)
    assert made["permalink"] == f"{portal.url}/generations/{made['job']}/"


def test_the_same_seed_gives_the_same_text_and_n_samples_differ(cleo: openai.OpenAI) -> None:
    ask = {"model": MODEL, "prompt": "My favourite colour is", "max_tokens": 16, "seed": 21, "n": 3}
    first, second = cleo.completions.create(**ask), cleo.completions.create(**ask)
    texts = [choice.text for choice in first.choices]
    assert [choice.text for choice in second.choices] == texts
    assert [choice.index for choice in first.choices] == [0, 1, 2]
    assert len(set(texts)) == 3


def test_a_stop_string_ends_the_text_and_is_not_in_it(cleo: openai.OpenAI) -> None:
    answer = cleo.completions.create(
        model=MODEL, prompt="Count: one, two, three, four,", max_tokens=60, temperature=0, stop=["seven"], seed=1
    )
    assert "seven" not in answer.choices[0].text
    assert "six" in answer.choices[0].text
    assert answer.choices[0].finish_reason == "stop"


def test_a_stream_joins_to_the_whole_answer(cleo: openai.OpenAI) -> None:
    ask = {"model": MODEL, "prompt": "The sea is", "max_tokens": 24, "seed": 5}
    whole = cleo.completions.create(**ask)
    chunks = list(cleo.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == whole.choices[0].text
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert whole.usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens


def test_until_the_last_event_no_chunk_has_a_usage_and_without_a_wish_none_comes(cleo: openai.OpenAI) -> None:
    ask = {"model": MODEL, "prompt": "The sea is", "max_tokens": 6, "seed": 5, "stream": True}
    *chunks, last = cleo.completions.create(**ask, stream_options={"include_usage": True})
    assert all(chunk.usage is None and "usage" in chunk.model_fields_set for chunk in chunks)
    assert last.usage is not None
    assert all(chunk.choices for chunk in cleo.completions.create(**ask))


def test_a_completion_without_a_length_has_sixteen_tokens_at_most(cleo: openai.OpenAI) -> None:
    answer = cleo.completions.create(model=MODEL, prompt="Count: 1, 2, 3, 4,", temperature=0, seed=1)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 16
    assert answer.choices[0].finish_reason == "length"


def test_a_prompt_may_be_token_ids_a_list_of_them_or_null(portal: Portal, cleo: openai.OpenAI) -> None:
    stored = sorted((portal.home / "store").rglob("*"), key=lambda path: path.stat().st_size)
    tokenizer = next(found for path in stored if path.is_file() and (found := tokenizer_in(path)))
    text = "The sea is"
    ids = tokenizer.encode(text).ids
    ask = {"model": MODEL, "max_tokens": 6, "temperature": 0, "seed": 1}
    said = cleo.completions.create(**ask, prompt=text).choices[0].text
    assert cleo.completions.create(**ask, prompt=ids).choices[0].text == said
    both = cleo.completions.create(**ask, prompt=[ids, ids]).choices
    assert [choice.text for choice in both] == [said, said]
    begun = cleo.completions.create(**ask, prompt=None, echo=True, logprobs=0)
    assert begun.usage is not None
    assert begun.usage.prompt_tokens == 1
    assert begun.choices[0].text.startswith("<|")


def tokenizer_in(path: Path) -> Tokenizer | None:
    """The tokenizer that a file of the store holds, if it is one; its name there is its digest."""
    if path.stat().st_size > 20_000_000 or path.read_bytes()[:1] != b"{":
        return None
    try:
        return Tokenizer.from_file(str(path))
    except Exception:  # noqa: BLE001 - the library raises bare Exception for a file it cannot read
        return None


def test_a_stream_whose_permission_is_taken_back_ends_with_an_error_that_says_why(
    portal: Portal, cleo: openai.OpenAI
) -> None:
    stream = cleo.completions.create(model=MODEL, prompt="A long story:", max_tokens=900, seed=3, stream=True)
    job_id = job_of(next(iter(stream)).id)
    imports = "from inference.contract import FinishReason; from release_portal.jobs.services import request_stop; "
    portal.ask(f"{imports}request_stop({job_id!r}, FinishReason.STOPPED)")
    with pytest.raises(openai.APIError, match="taken back") as ended:
        list(stream)
    assert (ended.value.code, ended.value.type) == ("stopped", "permission_error")


def test_what_is_not_offered_is_not_found_and_says_so(cleo: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as refused:
        cleo.moderations.create(input="Hello")
    assert refused.value.code == "unsupported_endpoint"


def test_a_chat_answers_whole_and_streamed(cleo: openai.OpenAI) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Name one colour."}]
    ask = {"model": MODEL, "messages": messages, "max_completion_tokens": 24, "temperature": 0, "seed": 2}
    whole = cleo.chat.completions.create(**ask)
    assert whole.choices[0].message.role == "assistant"
    assert whole.choices[0].message.content
    streamed = cleo.chat.completions.create(**ask, stream=True)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in streamed if chunk.choices)
    assert text == whole.choices[0].message.content


def test_several_prompts_are_answered_in_their_order_and_echoed(cleo: openai.OpenAI) -> None:
    prompts = ["The sea is", "My favourite colour is"]
    ask = {"model": MODEL, "max_tokens": 6, "temperature": 0, "seed": 1}
    both = cleo.completions.create(**ask, prompt=prompts, n=2, echo=True)
    assert [choice.index for choice in both.choices] == [0, 1, 2, 3]
    alone = [cleo.completions.create(**ask, prompt=prompt).choices[0].text for prompt in prompts]
    texts = [choice.text for choice in both.choices]
    assert texts == [prompts[0] + alone[0]] * 2 + [prompts[1] + alone[1]] * 2
    streamed = dict.fromkeys(range(4), "")
    for chunk in cleo.completions.create(**ask, prompt=prompts, n=2, echo=True, stream=True):
        for choice in chunk.choices:
            streamed[choice.index] += choice.text
    assert list(streamed.values()) == texts


def test_likelihoods_are_those_of_the_text_whole_and_streamed(cleo: openai.OpenAI) -> None:
    ask = {"model": MODEL, "prompt": "The sea is", "max_tokens": 6, "temperature": 0, "seed": 1}
    (choice,) = cleo.completions.create(**ask, logprobs=2, echo=True).choices
    told = choice.logprobs
    assert told is not None
    assert told.tokens is not None
    assert told.token_logprobs is not None
    assert told.top_logprobs is not None
    assert told.text_offset is not None
    assert "".join(told.tokens) == choice.text
    assert [choice.text[place:][: len(token)] for place, token in zip(told.text_offset, told.tokens, strict=True)] == (
        told.tokens
    )
    assert told.token_logprobs[0] is None
    assert all(number is not None and number <= 0 for number in told.token_logprobs[1:])
    new = list(zip(told.tokens, told.top_logprobs, strict=True))[-4:]
    assert all(max(top, key=lambda token: top[token]) == token for token, top in new), "greedy takes the likeliest"
    chunks = [chunk.choices[0].logprobs for chunk in cleo.completions.create(**ask, logprobs=2, echo=True, stream=True)]
    streamed = [number for part in chunks if part for number in part.token_logprobs or ()]
    assert streamed[1:] == pytest.approx(told.token_logprobs[1:], abs=1e-3)


def test_a_chat_names_the_likeliest_tokens_beside_the_chosen(cleo: openai.OpenAI) -> None:
    answer = cleo.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": "Name one colour."}], max_completion_tokens=8,
        temperature=0, seed=2, logprobs=True, top_logprobs=3,
    )  # fmt: skip
    told = answer.choices[0].logprobs
    assert told is not None
    assert told.content
    assert all(len(token.top_logprobs) == 3 for token in told.content)
    assert answer.choices[0].message.content
    assert answer.choices[0].message.content.startswith(told.content[0].token)


def test_a_bias_and_a_penalty_change_what_is_said(cleo: openai.OpenAI) -> None:
    ask = {"model": MODEL, "prompt": "one two one two one two one", "max_tokens": 8, "temperature": 0, "seed": 1}
    plain = cleo.completions.create(**ask).choices[0].text
    assert cleo.completions.create(**ask, frequency_penalty=2).choices[0].text != plain
    assert cleo.completions.create(**ask, extra_body={"repetition_penalty": 3}).choices[0].text != plain
    forced = cleo.completions.create(**ask, logit_bias={"1000": 100}).choices[0]
    assert forced.text != plain
    same = cleo.completions.create(**ask, presence_penalty=0, frequency_penalty=0, logit_bias={}).choices[0].text
    assert same == plain


def test_vectors_come_in_the_order_of_their_texts_packed_or_as_numbers(cleo: openai.OpenAI) -> None:
    """The client asks for base64 by itself and unpacks it."""
    texts = ["The capital of France is Paris.", "Paris is the capital of France.", "Fold the egg whites in."]
    answer = cleo.embeddings.create(model=MODEL, input=texts)
    assert [one.index for one in answer.data] == [0, 1, 2]
    assert {len(one.embedding) for one in answer.data} == {576}
    plain = cleo.embeddings.create(model=MODEL, input=texts[0], encoding_format="float", dimensions=576, user="u-1")
    assert plain.data[0].embedding == pytest.approx(answer.data[0].embedding, abs=1e-4)
    near, far = (_cosine(answer.data[0].embedding, answer.data[at].embedding) for at in (1, 2))
    assert near > far
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > plain.usage.total_tokens
    last = cleo.embeddings.create(model=MODEL, input=texts[0], extra_body={"pooling": "last"})
    assert _cosine(last.data[0].embedding, plain.data[0].embedding) < 0.999


def _cosine(one: list[float], other: list[float]) -> float:
    return _product(one, other) / math.sqrt(_product(one, one) * _product(other, other))


def _product(one: list[float], other: list[float]) -> float:
    return sum(here * there for here, there in zip(one, other, strict=True))


def test_what_an_embedding_cannot_do_is_refused_by_name(portal: Portal, cleo: openai.OpenAI, client_as: As) -> None:
    with pytest.raises(openai.BadRequestError, match="vectors of 576 numbers") as refused:
        cleo.embeddings.create(model=MODEL, input="Hello", dimensions=64)
    assert refused.value.param == "dimensions"
    with pytest.raises(openai.BadRequestError) as refused:
        cleo.embeddings.create(model=MODEL, input="Hello", extra_body={"truncate": True})
    assert (refused.value.param, refused.value.code) == ("truncate", "unknown_parameter")
    with pytest.raises(openai.PermissionDeniedError, match="You hold no grant"):
        client_as(portal.token("finn")).embeddings.create(model=MODEL, input="Hello")


def test_the_headers_say_what_is_left_and_how_long_it_took(cleo: openai.OpenAI) -> None:
    raw = cleo.completions.with_raw_response.create(model=MODEL, prompt="Hello", max_tokens=2)
    assert raw.headers["x-request-id"] == raw.parse()._request_id
    assert int(raw.headers["openai-processing-ms"]) > 0
    for of in ("requests", "tokens"):
        assert int(raw.headers[f"x-ratelimit-remaining-{of}"]) < int(raw.headers[f"x-ratelimit-limit-{of}"])
        assert raw.headers[f"x-ratelimit-reset-{of}"].endswith("s")


def test_a_wrong_token_is_an_authentication_error_with_the_way_out(client_as: As) -> None:
    with pytest.raises(openai.AuthenticationError, match="not known here") as refused:
        client_as("rp_wrong").models.list()
    assert refused.value.request_id
    with pytest.raises(openai.AuthenticationError, match="another service"):
        client_as("hf_abcdefgh").models.list()


def test_nobody_without_a_grant_generates_and_the_reason_comes_along(portal: Portal, client_as: As) -> None:
    for name, words in (
        ("finn", "You hold no grant for this size"),
        ("dan", "Your grant ended"),
        ("eve", "Your grant is suspended"),
    ):
        with pytest.raises(openai.PermissionDeniedError, match=words) as refused:
            client_as(portal.token(name)).completions.create(model=MODEL, prompt="x")
        assert refused.value.code == "model_gated"
        assert refused.value.response.headers["x-should-retry"] == "false"


def test_an_unknown_model_and_one_that_is_hidden_look_the_same(cleo: openai.OpenAI) -> None:
    said = set()
    for model in ("nobody/nothing", "huggingfacetb/smollm2-1.7b-instruct"):
        with pytest.raises(openai.NotFoundError) as refused:
            cleo.completions.create(model=model, prompt="x")
        assert refused.value.code == "model_not_found"
        said.add(str(refused.value).replace(model, "MODEL"))
    assert len(said) == 1


def test_a_size_without_weights_is_refused_without_a_retry(cleo: openai.OpenAI) -> None:
    with pytest.raises(openai.PermissionDeniedError, match="not in this portal's store") as refused:
        cleo.completions.create(model="openai/gpt2-124m", prompt="x")
    assert refused.value.code == "no_weights"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"temperature": -1}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 5000}, "max_tokens"),
        ({"n": 99}, "n"),
        ({"stop": ["a"] * 5}, "stop"),
        ({"seed": -1}, "seed"),
        ({"logprobs": 6}, "logprobs"),
        ({"best_of": 2}, "best_of"),
        ({"user": "x" * 600}, "user"),
        ({"extra_body": {"safety_identifier": 7}}, "safety_identifier"),
        ({"stream": True, "stream_options": {"include_obfuscation": True}}, "stream_options"),
        ({"suffix": "the end"}, "suffix"),
        ({"presence_penalty": 3}, "presence_penalty"),
        ({"logit_bias": {"9999999": 1}}, "logit_bias"),
        ({"prompt": ["a", 1]}, "prompt"),
        ({"prompt": ""}, "prompt"),
        ({"prompt": 5}, "prompt"),
        ({"prompt": "a\x16b"}, "prompt"),
        ({"extra_body": {"wings": 2}}, "wings"),
        ({"stream_options": "all"}, "stream_options"),
    ],
)
def test_a_wrong_parameter_is_named(cleo: openai.OpenAI, wrong: dict[str, object], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        cleo.completions.create(**{"model": MODEL, "prompt": "Hello", "max_tokens": 4, **wrong})
    assert refused.value.param == param


def test_a_prompt_longer_than_the_context_is_counted_in_tokens_and_the_limit_named(cleo: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"takes [\d,]+ in all") as refused:
        cleo.completions.create(model=MODEL, prompt="word " * 9000, max_tokens=4)
    assert refused.value.code == "context_exceeded"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"\xff\xfe{", 400, "invalid_utf8"),
        (b"{nope", 400, "invalid_json"),
        (b"[1]", 400, "invalid_json"),
        (b'{"model": "' + b"x" * 10_000_000 + b'"}', 413, "too_large"),
    ],
    ids=["invalid UTF-8", "broken JSON", "not an object", "10 MB"],
)
def test_a_body_that_cannot_be_read_has_the_clients_error_shape(
    portal: Portal, cleo_token: str, body: bytes, status: int, code: str
) -> None:
    headers = {"Authorization": f"Bearer {cleo_token}", "Content-Type": "application/json"}
    answer = httpx.post(f"{portal.url}/v1/completions", content=body, headers=headers, timeout=60)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert answer.headers["x-request-id"]


def test_a_body_whose_length_is_not_announced_is_cut_off(portal: Portal, cleo_token: str) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 100_000

    headers = {"Authorization": f"Bearer {cleo_token}", "Content-Type": "application/json"}
    try:
        answer = httpx.post(f"{portal.url}/v1/completions", content=endless(), headers=headers, timeout=60)
    except httpx.WriteError:
        return  # the portal closed the connection before everything was sent
    assert answer.status_code == 413


SMALL_GRANT = """
from datetime import timedelta
from release_portal.access.agreements.services import agreement_in_force, sign_agreement
from release_portal.accounts.actors import actor_of
from release_portal.accounts.models import User
from release_portal.access.quota import Limits
from release_portal.access.services import GrantTerms, create_grant
from release_portal.core.actors import system_actor
from release_portal.core.clock import now
from release_portal.registry.models import ModelSize
user = User.objects.create_user("lou", "lou@example.org", "not used here")
sign_agreement(actor_of(user), user, agreement_in_force(now()), at=now())
size = ModelSize.objects.get(slug="huggingfacetb/smollm2-135m-instruct")
terms = GrantTerms((size,), ("generate",), "quota test", now(), now() + timedelta(days=2), Limits(60, 600, 4))
create_grant(system_actor("test"), user, terms, reason="test", at=now())
"""


def test_the_quota_is_counted_exactly_and_then_says_when_it_returns(portal: Portal, client_as: As) -> None:
    portal.ask(SMALL_GRANT)
    lou = client_as(portal.token("lou"))
    raw = lou.completions.with_raw_response.create(model=MODEL, prompt="Hello there", max_tokens=20, seed=3)
    answer = raw.parse()
    assert raw.headers["x-ratelimit-limit-tokens"] == "60"
    assert answer.usage is not None
    row = wait_for(lambda: (r := portal.job(job_of(answer.id)))["state"] == "done" and r, "the settlement")
    assert row["charged_tokens"] == answer.usage.total_tokens
    with pytest.raises(openai.RateLimitError, match="left today") as refused:
        lou.completions.create(model=MODEL, prompt="Hello there", max_tokens=60)
    assert refused.value.code == "tokens_per_day"
    wait = int(refused.value.response.headers["retry-after"])
    assert int(refused.value.response.headers["retry-after-ms"]) == wait * 1_000 > 0
    assert (
        refused.value.response.headers["x-should-retry"] == "false"
        or int(refused.value.response.headers["retry-after"]) <= 120
    )
    left = 60 - answer.usage.total_tokens
    fits = lou.completions.create(model=MODEL, prompt="Hello there", max_tokens=left - answer.usage.prompt_tokens)
    assert fits.usage is not None


def read_stream(portal: Portal, token: str, number: int) -> tuple[str, str, int]:
    """Return job id, text and token count of one stream, read as it comes."""
    body = {"model": MODEL, "prompt": f"Story number {number}:", "max_tokens": 24, "seed": number, "stream": True}
    body["stream_options"] = {"include_usage": True}
    headers = {"Authorization": f"Bearer {token}"}
    text, usage, job_id, finished = "", 0, "", 0
    with httpx.stream("POST", f"{portal.url}/v1/completions", json=body, headers=headers, timeout=180) as answer:
        assert answer.status_code == 200, answer.read()
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                event = json.loads(line[6:])
                assert "error" not in event, event
                job_id = job_of(event["id"])
                for choice in event["choices"]:
                    assert not finished, "nothing follows the finish"
                    text += choice["text"]
                    finished += choice["finish_reason"] is not None
                usage = event["usage"]["completion_tokens"] if event.get("usage") else usage
            is_done = line == "data: [DONE]" or bool(line == "" and finished)
    assert finished == 1
    assert is_done
    return job_id, text, usage


def test_twenty_streams_at_once_are_each_complete_in_order_and_metered_as_delivered(
    portal: Portal, cleo_token: str
) -> None:
    with ThreadPoolExecutor(STREAMS) as pool:
        results = list(pool.map(lambda number: read_stream(portal, cleo_token, number), range(STREAMS)))
    assert len({job_id for job_id, _, _ in results}) == STREAMS
    code = "import json; from release_portal.jobs.models import Job; "
    code += f"jobs = Job.objects.filter(pk__in={[job_id for job_id, _, _ in results]!r}); "
    code += "texts = {j.pk: j.output[0]['text'] if j.output else '' for j in jobs}; "
    code += "print(json.dumps([[j.pk, j.state, j.completion_tokens, texts[j.pk]] for j in jobs]))"
    rows = wait_for(
        lambda: (r := json.loads(portal.ask(code).splitlines()[-1])) and all(x[1] == "done" for x in r) and r,
        "the settlement of all",
        60,
    )
    kept = {job_id: (tokens, text) for job_id, _, tokens, text in rows}
    for job_id, text, tokens in results:
        assert kept[job_id] == (tokens, text)
