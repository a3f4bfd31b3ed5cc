"""What portal and worker say to each other: permits that cannot be forged, keys that can be rotated."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import (
    FINISH_ONCE_LUA,
    ClassifyResult,
    EmbedResult,
    FinishReason,
    Function,
    Keys,
    Order,
    Permit,
    PermitEndedError,
    PermitError,
    Pooling,
    SamplingSettings,
    ScoredToken,
    ScoreResult,
    Usage,
    finish_once_call,
    weights_digest,
)
from release_portal.jobs.states import MESSAGES, OPEN, STATE_OF, STATES, UNCHARGED

OLD, NEW = Keys({"v1": b"1" * 32}), Keys({"v2": b"2" * 32, "v1": b"1" * 32})
PERMIT = Permit("job-1", "lab/size", "d" * 64, "generate", 1_000.0, {"size:lab/size": 3, "grant:g-1": 1})


def test_a_permit_comes_back_as_it_was_signed() -> None:
    assert Permit.verify(PERMIT.sign(NEW), NEW, 999.9) == PERMIT


def test_a_permit_is_signed_with_the_newest_key_and_an_older_one_is_still_accepted() -> None:
    assert PERMIT.sign(NEW).startswith("v2.")
    assert Permit.verify(PERMIT.sign(OLD), NEW, 0.0) == PERMIT


def test_a_permit_of_a_key_that_was_taken_out_is_not_accepted() -> None:
    with pytest.raises(PermitError, match="v2"):
        Permit.verify(PERMIT.sign(NEW), OLD, 0.0)


def test_a_permit_ends_at_its_second_and_says_that_it_was_valid_once() -> None:
    """Seen to fail with `>=` made `>`."""
    with pytest.raises(PermitEndedError):
        Permit.verify(PERMIT.sign(NEW), NEW, 1_000.0)


def test_an_expired_forgery_is_a_forgery() -> None:
    """The signature is looked at first: the end of a permit is told to those who had one."""
    version, body, _ = PERMIT.sign(NEW).split(".")
    with pytest.raises(PermitError) as caught:
        Permit.verify(f"{version}.{body}.AAAA", NEW, 2_000.0)
    assert not isinstance(caught.value, PermitEndedError)


@pytest.mark.parametrize(
    "changes", [{"job_id": "job-2"}, {"size_id": "x/y"}, {"function": "score"}, {"expires_at": 9e9}, {"epochs": {}}]
)
def test_a_changed_permit_under_the_old_signature_is_refused(changes: dict[str, object]) -> None:
    """Seen to fail with `hmac.compare_digest` replaced by True."""
    version, _, signature = PERMIT.sign(NEW).split(".")
    changed = replace(PERMIT, **changes)  # type: ignore[arg-type]
    body = base64.urlsafe_b64encode(json.dumps(asdict(changed), sort_keys=True, separators=(",", ":")).encode())
    with pytest.raises(PermitError, match="signature"):
        Permit.verify(f"{version}.{body.decode().rstrip('=')}.{signature}", NEW, 0.0)


def test_a_signature_of_one_version_does_not_count_under_another() -> None:
    _, body, signature = PERMIT.sign(OLD).split(".")
    both = Keys({"v1": b"1" * 32, "v2": b"1" * 32})  # even with the same secret
    with pytest.raises(PermitError):
        Permit.verify(f"v2.{body}.{signature}", both, 0.0)


@given(cut=st.integers(0, 400), junk=st.text(max_size=12))
def test_a_truncated_or_prolonged_permit_is_refused(cut: int, junk: str) -> None:
    token = PERMIT.sign(NEW)
    for broken in (token[:cut], token + junk, token[:cut] + junk):
        if broken != token:
            with pytest.raises(PermitError):
                Permit.verify(broken, NEW, 0.0)


def test_a_signed_body_that_is_no_permit_is_refused() -> None:
    for content in (b"[]", b"{}", b"null", b'{"job_id": "x"}', b"\xff", b'{"a": 1}'):
        body = base64.urlsafe_b64encode(content).decode().rstrip("=")
        signature = base64.urlsafe_b64encode(NEW.mac("v2", f"v2.{body}")).decode().rstrip("=")
        with pytest.raises(PermitError):
            Permit.verify(f"v2.{body}.{signature}", NEW, 0.0)


def test_keys_are_read_newest_first() -> None:
    text = ",".join(f"{version}:{base64.b64encode(secret).decode()}" for version, secret in NEW.secrets.items())
    assert Keys.parse(text) == NEW
    assert Keys.parse(text).newest == "v2"


@pytest.mark.parametrize("text", ["", "v1", "v1:", ":" + "A" * 44, "v1:" + "A" * 8, "v1:not base64!", "v1:é"])
def test_keys_that_are_no_keys_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        Keys.parse(text)


def test_an_order_comes_back_as_it_was_written_and_only_in_this_version() -> None:
    order = Order(Function.GENERATE, "Größe \u2028 🙂", SamplingSettings(stop=("a", "b"), seed=2**63 - 1), True)
    assert Order.from_json(order.to_json()) == order
    other = json.dumps({**json.loads(order.to_json()), "version": 0})
    with pytest.raises(ValueError, match="version"):
        Order.from_json(other)


def test_a_score_comes_back_as_it_was_written() -> None:
    result = ScoreResult((ScoredToken("a", 0, 1), ScoredToken("b", 1, 2, -0.5, 1, 0.1, -0.4, 0.2)), 1)
    assert ScoreResult.from_json(result.to_json()) == result


def test_an_order_names_its_pooling_and_without_one_it_is_the_mean() -> None:
    order = Order(Function.EMBED, "Once", pooling=Pooling.LAST)
    assert Order.from_json(order.to_json()) == order
    older = {key: value for key, value in json.loads(order.to_json()).items() if key != "pooling"}
    assert Order.from_json(json.dumps(older)).pooling is Pooling.MEAN
    with pytest.raises(ValueError, match="median"):
        Order.from_json(json.dumps(older | {"pooling": "median"}))


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), max_size=40))
def test_a_vector_comes_back_as_it_was_written(numbers: list[float]) -> None:
    result = EmbedResult.of(numbers, Pooling.LAST, 3)
    assert EmbedResult.from_json(result.to_json()) == result
    assert (list(result.numbers), result.width) == (numbers, len(numbers))


def test_a_vector_that_is_not_as_wide_as_it_says_is_refused() -> None:
    result = EmbedResult.of([0.5, -1.0], Pooling.MEAN, 3)
    with pytest.raises(ValueError, match="as wide as it says"):
        _ = replace(result, width=3).numbers


def test_labels_come_back_as_they_were_written() -> None:
    result = ClassifyResult((("model-generated", 0.75), ("human-written", 0.25)), False, 9)
    assert ClassifyResult.from_json(result.to_json()) == result


def test_every_finish_reason_has_a_state_and_a_sentence_and_the_mapping_is_total() -> None:
    assert set(STATE_OF) == set(MESSAGES) == set(FinishReason)
    assert set(STATE_OF.values()) == set(STATES) - OPEN
    assert {reason for reason, state in STATE_OF.items() if state == "done"} == {
        reason for reason in FinishReason if reason.is_success
    }
    assert not any(reason.is_success for reason in UNCHARGED)


def test_the_end_is_written_by_one_script_for_both_sides() -> None:
    keys, args = finish_once_call("job-1", FinishReason.STOP, error="", usage=Usage(3, 4), worker="w")
    assert len(keys) == FINISH_ONCE_LUA.split("unpack(KEYS)")[0].split("local")[-1].count(",") + 1
    assert args[0:2] == ["job-1", "stop"]
    assert json.loads(args[3]) == {"prompt_tokens": 3, "completion_tokens": 4}


def test_a_weights_digest_names_exactly_these_files() -> None:
    files = {"a": {"sha256": "1" * 64, "size": 1}, "b": {"sha256": "2" * 64, "size": 2}}
    digest = weights_digest(files)
    assert digest == weights_digest(dict(reversed(files.items()))), "the order of files says nothing"
    assert digest != weights_digest({**files, "a": {"sha256": "1" * 64, "size": 2}})
    assert digest != weights_digest({"a": files["a"]})
    assert len(digest) == 64
