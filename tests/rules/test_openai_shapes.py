"""What a client reads: whole answers, chunks, token counts, errors."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from release_portal.core import errors as core_errors
from release_portal.core.errors import NotAllowed, NotFound, NotNow, PortalError, TooMuch, Unavailable
from release_portal.openai_api.errors import TYPES, body_of, status_of
from release_portal.openai_api.shapes import Shape, model_object, totals

USAGE = {"prompt_tokens": 3, "completion_tokens": 4}
SAMPLES = [{"text": "one", "tokens": 2, "finish": "stop"}, {"text": "two", "tokens": 2, "finish": "length"}]


def shape(*, is_chat: bool) -> Shape:
    return Shape("cmpl-1", "lab/size", 1_700_000_000, is_chat, {"seed": 7, "system_fingerprint": "fp32-abc"})


@pytest.mark.parametrize("is_chat", [False, True])
def test_a_whole_answer(is_chat: bool) -> None:
    answer = shape(is_chat=is_chat).whole(SAMPLES, USAGE)
    assert answer["object"] == ("chat.completion" if is_chat else "text_completion")
    assert answer["usage"] == {**USAGE, "total_tokens": 7}
    assert answer["portal"]["seed"] == 7
    assert answer["system_fingerprint"] == "fp32-abc"
    assert [(choice["index"], choice["finish_reason"]) for choice in answer["choices"]] == [(0, "stop"), (1, "length")]
    texts = [choice["message"]["content"] if is_chat else choice["text"] for choice in answer["choices"]]
    assert texts == ["one", "two"]


@pytest.mark.parametrize("is_chat", [False, True])
@pytest.mark.parametrize("with_usage", [False, True])
def test_chunks_of_a_stream(is_chat: bool, with_usage: bool) -> None:
    one = shape(is_chat=is_chat)
    first = one.chunk(1, "tok", None, with_usage=with_usage)
    last = one.chunk(1, "", "length", with_usage=with_usage)
    assert ("usage" in first) == with_usage, "with include_usage each chunk but the last says null"
    assert first.get("usage") is None
    assert first["choices"][0]["finish_reason"] is None
    assert last["choices"][0]["finish_reason"] == "length"
    text = first["choices"][0]["delta"]["content"] if is_chat else first["choices"][0]["text"]
    assert text == "tok"
    assert first["id"] == last["id"] == one.usage_chunk(USAGE)["id"]
    assert one.usage_chunk(USAGE)["choices"] == []


def test_a_chat_stream_opens_with_the_role() -> None:
    delta = shape(is_chat=True).opening(0, with_usage=False)["choices"][0]["delta"]
    assert delta == {"role": "assistant", "content": ""}


def test_token_counts_add_up_and_a_model_names_its_lab() -> None:
    assert totals(USAGE)["total_tokens"] == 7
    assert model_object("lab/size", 5, "Lab", {"release_stage": "partner"}) == {
        "id": "lab/size", "object": "model", "created": 5, "owned_by": "Lab", "release_stage": "partner",
    }  # fmt: skip


def test_not_now_is_403_here_because_the_client_retries_409() -> None:
    assert status_of(NotNow("x")) == 403
    assert status_of(Unavailable("x")) == 503
    assert status_of(TooMuch("x", retry_at=datetime(2026, 1, 1, tzinfo=UTC))) == 429


@pytest.mark.parametrize("code", ["no_grant", "grant_expired", "grant_suspended", "grant_revoked"])
def test_a_missing_grant_is_a_gated_model_in_the_clients_words(code: str) -> None:
    assert body_of(NotAllowed("No.", code=code, change="Apply."))["code"] == "model_gated"


def test_an_error_names_parameter_type_and_the_way_out() -> None:
    body = body_of(NotFound("No such model.", field="model", code="model_not_found", change="List them."))
    assert body == {
        "message": "No such model. List them.", "type": "invalid_request_error", "param": "model",
        "code": "model_not_found",
    }  # fmt: skip


def test_every_error_class_of_the_portal_has_a_type_here() -> None:
    classes = [one for one in vars(core_errors).values() if isinstance(one, type) and issubclass(one, PortalError)]
    assert len(classes) > 8
    assert {403 if issubclass(one, NotNow) else one.status for one in classes} <= set(TYPES)
