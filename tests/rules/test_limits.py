"""Sampling settings from forms and clients: every wrong type and value is refused by its field's name."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import SamplingSettings
from release_portal.core.errors import InvalidInput
from release_portal.generation.limits import (
    LONGEST_STOP,
    MOST_BIASED,
    MOST_STOPS,
    RANGES,
    read_bias,
    read_prompt,
    read_settings,
    read_stops,
)

DRAWN = 4711


def read(**values: Any) -> SamplingSettings:
    return read_settings(values, lambda: DRAWN)


def refused(**values: Any) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read(**values)
    assert caught.value.reason
    assert caught.value.change
    return caught.value


def test_nothing_given_means_the_defaults_and_a_drawn_seed() -> None:
    assert read() == SamplingSettings(max_tokens=64, temperature=1.0, top_k=0, top_p=1.0, seed=DRAWN, samples=1)
    assert read(**dict.fromkeys(RANGES, "")) == read(**dict.fromkeys(RANGES)) == read()


def test_numbers_may_be_text_as_forms_send_it() -> None:
    settings = read(max_tokens="12", temperature="0", top_k="40", top_p="0.9", seed="0", samples="2", stop="\n")
    assert settings == SamplingSettings(12, 0.0, 40, 0.9, ("\n",), 0, 2)


@pytest.mark.parametrize("name", RANGES)
def test_both_ends_are_allowed_and_one_step_further_is_not(name: str) -> None:
    limits = RANGES[name]
    step = 1 if limits.is_whole else 0.001
    for value in (limits.least, limits.most):
        assert getattr(read(**{name: value}), name) == value
    for value in (limits.least - step, limits.most + step):
        assert refused(**{name: value}).field == name


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize(
    "value",
    [True, False, [], {}, [1], {"a": 1}, (1,), b"1", "x", "1,5", "--1", float("nan"), float("inf"), "nan", "inf",
     "1e400", object()],
)  # fmt: skip
def test_wrong_types_and_what_is_no_number_are_refused_by_name(name: str, value: Any) -> None:
    """Seen to fail with the check for bool removed, and with `OverflowError` uncaught for an infinite whole number."""
    assert refused(**{name: value}).field == name


@pytest.mark.parametrize("name", [name for name, limits in RANGES.items() if limits.is_whole])
def test_whole_numbers_are_whole(name: str) -> None:
    assert getattr(read(**{name: 1.0}), name) == 1
    assert refused(**{name: 1.5}).field == name
    assert refused(**{name: "1.5"}).field == name


def test_a_number_of_a_thousand_digits_is_refused_in_a_short_sentence() -> None:
    error = refused(max_tokens="9" * 5_000)
    assert len(error.reason) < 200
    assert len(refused(max_tokens=10**5_000).reason) < 200


def test_a_large_seed_is_kept_exactly() -> None:
    assert read(seed=str(2**63 - 1)).seed == 2**63 - 1
    assert read(seed=2**53 + 1).seed == 2**53 + 1
    assert refused(seed=2**63).field == "seed"


@pytest.mark.parametrize("value", [5, True, {"a": "b"}, [""], ["a", 1], [None], [["a"]]])
def test_stops_are_texts(value: Any) -> None:
    assert refused(stop=value).field == "stop"


def test_stops_are_few_and_short() -> None:
    most = ["x" * LONGEST_STOP] * MOST_STOPS
    assert read_stops(most) == tuple(most)
    for value in ([*most, "y"], ["x" * (LONGEST_STOP + 1)]):
        assert refused(stop=value).field == "stop"
    assert read_stops(None) == read_stops("") == read_stops([]) == ()


def test_a_bias_names_tokens_by_their_ids_and_stays_within_a_hundred() -> None:
    assert read(logit_bias={"50256": -100, "11": 2.5}).logit_bias == ((11, 2.5), (50256, -100))
    assert read_bias(None) == read_bias({}) == ()
    assert len(read_bias({str(token): 1 for token in range(MOST_BIASED)})) == MOST_BIASED


@pytest.mark.parametrize(
    "value",
    [5, True, ["1"], "1", {"1": 100.1}, {"1": "x"}, {"1": True}, {"1": float("nan")}, {"": 1}, {"-1": 1}, {"01": 1},
     {"1.0": 1}, {" 1": 1}, {"٣": 1}, {"²": 1}, {"9" * 40: 1}, {1: 1}, {None: 1},
     {str(token): 1 for token in range(MOST_BIASED + 1)}],
)  # fmt: skip
def test_a_wrong_bias_is_refused_by_its_name(value: Any) -> None:
    """Seen to fail with the comparison of spellings removed: two keys could name one token."""
    assert refused(logit_bias=value).field == "logit_bias"


def test_no_likelihoods_are_told_unless_asked_for_and_none_beside_the_chosen_is_an_answer() -> None:
    assert read().logprobs is None
    assert [read(logprobs=number).logprobs for number in (0, 5, 20)] == [0, 5, 20]
    for value in (-1, 21, True, 1.5, "x", []):
        assert refused(logprobs=value).field == "logprobs"


def test_an_echo_is_asked_for_with_a_boolean() -> None:
    assert (read().echo, read(echo=False).echo, read(echo=True).echo) == (False, False, True)
    for value in (1, 0, 1.0, "true", [], {}):
        assert refused(echo=value).field == "echo"


@pytest.mark.parametrize("value", [None, 1, True, [], {}, b"text", "a\x00b"])
def test_a_prompt_is_text_without_nul(value: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_prompt(value)
    assert caught.value.field == "prompt"


def test_a_prompt_keeps_every_other_character_and_line_ends_become_one_sort() -> None:
    assert read_prompt(" é\r\n\t🙂 ") == " é\n\t🙂 "


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)


OTHERS = ["stop", "logit_bias", "logprobs", "echo"]


@given(values=st.dictionaries(st.sampled_from([*RANGES, *OTHERS]), anything))
def test_whatever_comes_is_settings_within_the_limits_or_an_error_that_names_a_field(values: dict[str, Any]) -> None:
    wrong, settings = None, SamplingSettings()
    try:
        settings = read_settings(values, lambda: DRAWN)
    except InvalidInput as error:
        wrong = error.field
    assert wrong in {None, *RANGES, *OTHERS}
    for name, limits in RANGES.items():
        assert limits.least <= getattr(settings, name) <= limits.most
