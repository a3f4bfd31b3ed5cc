"""Every parameter of a client is used or refused by its name; none is ignored."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import Pooling
from release_portal.core.errors import InvalidInput
from release_portal.openai_api.parameters import (
    COMMON,
    NEUTRAL,
    NUMBERS,
    EmbeddingCall,
    read_chat,
    read_completion,
    read_embedding,
    read_json,
)

EMBEDDING = {"model": "lab/size", "input": "Once"}
COMPLETION = {"model": "lab/size", "prompt": "Once"}
CHAT = {"model": "lab/size", "messages": [{"role": "user", "content": "Hi"}]}


def wrong(data: dict[str, Any], base: dict[str, Any] | None = None) -> InvalidInput:
    base = COMPLETION if base is None else base
    with pytest.raises(InvalidInput) as caught:
        (read_chat if "messages" in {**base, **data} else read_completion)({**base, **data})
    return caught.value


def test_a_call_with_nothing_but_model_and_prompt_takes_the_clients_defaults() -> None:
    call = read_completion(COMPLETION)
    assert (call.model, call.prompts, call.is_stream, call.include_usage) == ("lab/size", ("Once",), False, False)
    assert (call.values["max_tokens"], call.usual_tokens) == (None, 16)
    assert read_chat(CHAT).usual_tokens == 256


def test_every_parameter_arrives_under_the_name_that_generation_reads() -> None:
    given_ = {
        "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["x"], "seed": 7, "n": 2, "max_tokens": 9,
        "repetition_penalty": 1.2, "presence_penalty": 0.5, "frequency_penalty": -0.5, "logit_bias": {"5": -100},
        "logprobs": 3, "echo": True,
    }  # fmt: skip
    values = read_completion({**COMPLETION, **given_, "stream": True, "stream_options": {"include_usage": True}})
    assert values.values == {
        "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["x"], "seed": 7, "samples": 2, "max_tokens": 9,
        "repetition_penalty": 1.2, "presence_penalty": 0.5, "frequency_penalty": -0.5, "logit_bias": {"5": -100},
        "logprobs": 3, "echo": True, "purpose": "", "end_user": "",
    }  # fmt: skip
    assert values.is_stream
    assert values.include_usage


def test_the_newer_name_of_the_limit_wins_over_the_older() -> None:
    assert read_chat({**CHAT, "max_tokens": 5, "max_completion_tokens": 6}).values["max_tokens"] == 6
    assert read_chat({**CHAT, "max_tokens": 5, "max_completion_tokens": None}).values["max_tokens"] == 5


@pytest.mark.parametrize("name", sorted(set(NEUTRAL) - {"echo"}))
def test_what_is_not_offered_is_accepted_only_when_it_asks_for_nothing(name: str) -> None:
    for neutral in NEUTRAL[name]:
        assert read_completion({**COMPLETION, name: neutral})
    for value in ("a wish", 7, True, {"x": 1}, ["x"]):
        if value in NEUTRAL[name]:
            continue
        error = wrong({name: value})
        assert (error.field, error.code) == (name, "unsupported_parameter")


def test_whom_a_client_asks_for_is_a_text_by_either_name_and_the_newer_wins() -> None:
    for name in ("user", "safety_identifier"):
        assert read_completion({**COMPLETION, name: "u-1"}).values["end_user"] == "u-1"
        assert read_chat({**CHAT, name: None}).values["end_user"] == ""
        for value in (1, True, [], {}, ["u-1"], "x" * 513):
            assert wrong({name: value}).field == name
    assert read_chat({**CHAT, "user": "old", "safety_identifier": "new"}).values["end_user"] == "new"


def test_a_chat_has_no_echo_and_a_completion_no_second_number_of_likeliest_tokens() -> None:
    assert wrong({"echo": True}, CHAT).code == wrong({"top_logprobs": 2}).code == "unsupported_parameter"
    assert read_chat({**CHAT, "echo": False}).values.get("echo") is None
    assert read_completion({**COMPLETION, "echo": True}).values["echo"] is True


def test_likeliest_tokens_are_asked_for_as_each_address_documents_it() -> None:
    for number in (None, 0, 5):
        assert read_completion({**COMPLETION, "logprobs": number}).values["logprobs"] == number
    for value in (6, -1, 1.5, True, False, "1"):
        assert wrong({"logprobs": value}).field == "logprobs"
    chats = [({}, None), ({"logprobs": False}, None), ({"logprobs": True}, 0)]
    chats += [({"logprobs": True, "top_logprobs": 20}, 20)]
    for asked, told in chats:
        assert read_chat({**CHAT, **asked}).values["logprobs"] == told
    for asked in ({"top_logprobs": 2}, {"logprobs": True, "top_logprobs": 21}, {"logprobs": True, "top_logprobs": 0.5}):
        assert wrong(asked, CHAT).field == "top_logprobs"
    assert wrong({"logprobs": 3}, CHAT).field == "logprobs"


def test_several_candidates_and_a_suffix_are_refused_by_name() -> None:
    for name, value in (("best_of", 2), ("best_of", True), ("suffix", "the end")):
        assert wrong({name: value}).field == name
    assert wrong({"best_of": 1, "n": 2}).field == wrong({"best_of": 1}, CHAT).field == "best_of"
    assert read_completion({**COMPLETION, "best_of": 1, "suffix": None})
    assert read_completion({**COMPLETION, "best_of": 2, "n": 2})


def test_zero_and_false_are_not_mistaken_for_each_other() -> None:
    """Python holds them equal. Seen to fail with the comparison of types removed."""
    assert wrong({"store": 0}).code == "unsupported_parameter"


def test_an_unknown_parameter_is_refused_by_name() -> None:
    error = wrong({"temprature": 1})
    assert (error.field, error.code) == ("temprature", "unknown_parameter")
    assert wrong({"messages": []}, {"model": "m", "prompt": "x"}).field in {"messages", "prompt"}


@pytest.mark.parametrize("value", [None, "", 5, True, [], {}])
def test_the_model_is_a_text(value: Any) -> None:
    assert wrong({"model": value}).field == "model"


@pytest.mark.parametrize(
    "value", [5, True, {}, [], [["a"]], [[]], [True], ["a", 1], [1, "a"], [1, 2.0], [[1], None], ["a"] * 65]
)
def test_a_prompt_that_is_none_is_refused(value: Any) -> None:
    assert wrong({"prompt": value}).field == "prompt"


def test_null_is_a_prompt_and_a_forgotten_one_is_not() -> None:
    assert read_completion({**COMPLETION, "prompt": None}).prompts == (None,)
    assert wrong({}, {"model": "lab/size"}).field == "prompt"


@pytest.mark.parametrize(
    ("value", "prompts"),
    [
        ("one", ("one",)), (["one"], ("one",)), (["a", "b"], ("a", "b")), ([1, 2, 3], ((1, 2, 3),)),
        ([[1], [2, 3]], ((1,), (2, 3))), (["a", [1]], ("a", (1,))), (["a"] * 64, ("a",) * 64),
    ],
)  # fmt: skip
def test_a_prompt_is_a_text_or_token_ids_or_several_of_them(value: Any, prompts: Any) -> None:
    assert read_completion({**COMPLETION, "prompt": value}).prompts == prompts


@pytest.mark.parametrize("name", [*NUMBERS, "n", "max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize("value", ["1", True, [], {}, [1]])
def test_numbers_are_numbers_and_not_texts_that_look_like_them(name: str, value: Any) -> None:
    error = wrong({name: value})
    assert error.field.replace("_completion", "") == name.replace("_completion", "")


@pytest.mark.parametrize("value", ["true", 1, 0, [], {}])
def test_yes_and_no_are_booleans(value: Any) -> None:
    assert wrong({"stream": value}).field == "stream"
    assert wrong({"stream": True, "stream_options": {"include_usage": value}}).field == "include_usage"


@pytest.mark.parametrize("value", ["x", 1, True, []])
def test_stream_options_are_an_object(value: Any) -> None:
    assert wrong({"stream_options": value}).field == "stream_options"


def test_no_option_of_a_stream_is_ignored() -> None:
    streamed = {**COMPLETION, "stream": True}
    assert read_completion({**streamed, "stream_options": {"include_obfuscation": False}}).include_usage is False
    for options in ({"include_obfuscation": True}, {"wings": 2}):
        assert wrong({"stream_options": options}, streamed).field == "stream_options"
    assert wrong({"stream_options": {"include_usage": True}}).field == "stream_options", "without a stream"


@pytest.mark.parametrize(
    "messages",
    [
        None, "hi", [], {}, [None], ["hi"], [{}], [{"role": "user"}], [{"content": "x"}],
        [{"role": "tool", "content": ""}],
        [{"role": "user", "content": 5}], [{"role": "user", "content": None}], [{"role": ["user"], "content": "x"}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}],
        [{"role": "user", "content": [{"type": "text"}]}], [{"role": "user", "content": ["x"]}],
    ],
)  # fmt: skip
def test_messages_that_cannot_be_read_are_refused(messages: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_chat({**CHAT, "messages": messages})
    assert caught.value.field == "messages"


def test_messages_keep_their_order_and_parts_are_joined() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    call = read_chat({**CHAT, "messages": [{"role": "developer", "content": "s"}, {"role": "user", "content": parts}]})
    assert call.messages == ({"role": "system", "content": "s"}, {"role": "user", "content": "ab"})


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "invalid_json"), (b"{", "invalid_json"), (b"[]", "invalid_json"), (b'"x"', "invalid_json"),
        (b"null", "invalid_json"), (b"\xff\xfe{}", "invalid_utf8"), (b'{"a": "\xc3"}', "invalid_utf8"),
        (b"[" * 100_000, "invalid_json"), (b'{"seed": ' + b"9" * 5_000 + b"}", "invalid_json"),
    ],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_a_clear_error(body: bytes, code: str) -> None:
    """Seen to fail on a number of 5,000 digits, which Python refuses with a plain ValueError."""
    with pytest.raises(InvalidInput) as caught:
        read_json(body)
    assert caught.value.code == code
    assert caught.value.change


def test_a_json_object_is_read() -> None:
    assert read_json('{"a": "é"}'.encode()) == {"a": "é"}


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(extra=st.dictionaries(st.sampled_from(sorted(COMMON | set(NEUTRAL) | {"prompt", "else"})), anything))
def test_any_json_is_a_call_or_an_error_that_names_a_parameter(extra: dict[str, Any]) -> None:
    data = json.loads(json.dumps({**COMPLETION, **extra}))
    call, wrong = None, ""
    try:
        call = read_completion(data)
    except InvalidInput as error:
        wrong = error.field
    assert wrong or (call and call.model and call.prompts)


def test_an_embedding_with_nothing_but_model_and_input_is_the_mean_as_numbers() -> None:
    assert read_embedding(EMBEDDING) == EmbeddingCall("lab/size", ("Once",), False, Pooling.MEAN, None, "", "")


def test_every_parameter_of_an_embedding_arrives() -> None:
    asked = {
        "input": ["one", [1, 2]], "encoding_format": "base64", "dimensions": 576, "pooling": "last", "user": "u-1",
        "metadata": {"purpose": "P03"}, "safety_identifier": "s",
    }  # fmt: skip
    call = read_embedding({**EMBEDDING, **asked})
    assert call == EmbeddingCall("lab/size", ("one", (1, 2)), True, Pooling.LAST, 576, "P03", "s")
    assert read_embedding({**EMBEDDING, "encoding_format": "float", "dimensions": None}).dimensions is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("model", None), ("model", ""), ("input", None), ("input", []), ("input", 5), ("input", [["a"]]),
        ("input", ["a", 1]), ("input", ["a"] * 65), ("encoding_format", "int8"), ("encoding_format", 1),
        ("dimensions", 0), ("dimensions", -1), ("dimensions", 1.5), ("dimensions", "576"), ("dimensions", True),
        ("pooling", "max"), ("pooling", []), ("metadata", "P03"), ("user", 5), ("safety_identifier", "x" * 513),
    ],
)  # fmt: skip
def test_a_wrong_parameter_of_an_embedding_is_named(name: str, value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_embedding({**EMBEDDING, name: value})
    assert caught.value.field == name


@pytest.mark.parametrize("name", ["temperature", "stream", "n", "prompt", "input_type", "store"])
def test_what_only_a_generation_has_an_embedding_refuses_by_name(name: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_embedding({**EMBEDDING, name: True})
    assert caught.value.field == name
