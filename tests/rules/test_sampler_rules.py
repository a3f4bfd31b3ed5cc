"""Bounds of sampler settings: what lies inside, what two people both give, what is only narrower."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.access.purposes import PURPOSES, purpose_of_job
from release_portal.access.quota import Limits
from release_portal.access.sampler_rules import (
    FRACTIONS,
    WIDEST,
    Bounds,
    Span,
    bound_problems,
    nearest,
    outside,
    read_bounds,
    stored,
    widened,
)
from release_portal.access.sampler_rules import narrowest_bounds as narrowest
from release_portal.access.scope_rules import Scope, changes, narrowing_problems, stops_work
from release_portal.core.errors import InvalidInput, NotAllowed
from release_portal.generation.limits import RANGES, read_settings


def value_of(name: str) -> st.SearchStrategy[float]:
    widest = WIDEST[name]
    assert widest.least is not None
    assert widest.most is not None
    if name in FRACTIONS:
        return st.sampled_from([widest.least, 0.1, 0.5, 0.9, widest.most])
    return st.sampled_from([widest.least, 1, 2, 3, widest.most]).filter(lambda value: widest.holds(value))


def spans(name: str) -> st.SearchStrategy[Span]:
    side = st.none() | value_of(name)
    return st.builds(Span, side, side)


bounds_of = st.fixed_dictionaries({}, optional={name: spans(name) for name in WIDEST})
values_of = st.fixed_dictionaries({name: value_of(name) for name in WIDEST})


@given(one=bounds_of, other=bounds_of, values=values_of)
def test_what_two_people_give_allows_exactly_what_both_allow(
    one: Bounds, other: Bounds, values: dict[str, float]
) -> None:
    """Seen to fail with `min` and `max` of the sides swapped."""
    both = outside(one, values) is None and outside(other, values) is None
    assert (outside(narrowest(one, other), values) is None) == both


@given(before=bounds_of, after=bounds_of, values=values_of)
def test_what_is_not_widened_allows_nothing_new(before: Bounds, after: Bounds, values: dict[str, float]) -> None:
    if not widened(before, after):
        assert outside(after, values) is not None or outside(before, values) is None
    assert widened(before, narrowest(before, after)) == []
    assert widened(before, before) == []


@given(bounds=bounds_of, values=values_of)
def test_the_value_next_to_one_that_nobody_asked_for_lies_inside(bounds: Bounds, values: dict[str, float]) -> None:
    if bound_problems(bounds):
        return
    moved = {name: nearest(bounds, name, value) for name, value in values.items()}
    assert outside(bounds, moved) is None
    if outside(bounds, values) is None:
        assert moved == values, "what lies inside is left alone"


@given(bounds=bounds_of)
def test_bounds_are_read_back_as_they_were_stored(bounds: Bounds) -> None:
    assert read_bounds(stored(bounds)) == {name: span for name, span in bounds.items() if span != Span()}


def test_a_top_k_of_zero_sets_no_limit_so_a_ceiling_refuses_it_and_a_floor_takes_it() -> None:
    """Seen to fail with 0 compared as a number."""
    assert outside({"top_k": Span(most=50)}, {"top_k": 0}) is not None
    assert outside({"top_k": Span(most=50)}, {"top_k": 50}) is None
    assert outside({"top_k": Span(least=50)}, {"top_k": 0}) is None
    assert outside({"top_k": Span(least=50)}, {"top_k": 49}) is not None
    assert nearest({"top_k": Span(most=50)}, "top_k", 0) == 50


@pytest.mark.parametrize(
    ("bounds", "field"),
    [
        ({"temperature": Span(most=2.1)}, "temperature_most"),
        ({"temperature": Span(least=-1)}, "temperature_least"),
        ({"temperature": Span(most=float("nan"))}, "temperature_most"),
        ({"max_tokens": Span(most=float("inf"))}, "max_tokens_most"),
        ({"samples": Span(most=1.5)}, "samples_most"),
        ({"top_p": Span(0.9, 0.5)}, "top_p_most"),
        ({"top_k": Span(0, 50)}, "top_k_least"),
        ({"top_k": Span(most=0)}, "top_k_most"),
    ],
)
def test_bounds_that_say_nothing_or_leave_nothing_are_named(bounds: Bounds, field: str) -> None:
    assert [problem.field for problem in bound_problems(bounds)] == [field]


def test_bounds_that_leave_something_are_taken() -> None:
    assert bound_problems({"temperature": Span(0, 0), "top_p": Span(0.5, 0.9), "max_tokens": Span(most=16)}) == []


def test_the_form_goes_as_far_as_the_widest_bounds() -> None:
    for name, widest in WIDEST.items():
        if name != "context":
            assert (RANGES[name].least, RANGES[name].most) == (widest.least, widest.most)


def test_what_nobody_asks_for_is_moved_into_the_bounds_and_what_somebody_asks_for_is_not() -> None:
    bounds = {"temperature": Span(most=0.7), "max_tokens": Span(most=8), "top_k": Span(most=40)}
    moved = read_settings({}, lambda: 1, bounds=bounds, usual_tokens=16)
    assert (moved.temperature, moved.max_tokens, moved.top_k, moved.top_p) == (0.7, 8, 40, 1.0)
    asked = read_settings({"temperature": "1.5", "max_tokens": 9, "top_k": 0}, lambda: 1, bounds=bounds)
    assert (asked.temperature, asked.max_tokens, asked.top_k) == (1.5, 9, 0)


# --- Narrowing ------------------------------------------------------------------------------------------------------

FULL = Scope(frozenset({"generate", "detect"}), frozenset({"P01", "P08"}), Limits(1_000, 60, 4), {})


@pytest.mark.parametrize(
    ("after", "field"),
    [
        (Scope(frozenset({"generate", "weights"}), FULL.purposes, FULL.limits), "functions"),
        (Scope(frozenset(), FULL.purposes, FULL.limits), "functions"),
        (Scope(FULL.functions, frozenset({"P01", "P02"}), FULL.limits), "purposes"),
        (Scope(FULL.functions, frozenset(), FULL.limits), "purposes"),
        (Scope(FULL.functions, FULL.purposes, Limits(1_001, 60, 4)), "tokens_per_day"),
        (Scope(FULL.functions, FULL.purposes, Limits(1_000, 0, 4)), "requests_per_minute"),
        (Scope(FULL.functions, FULL.purposes, Limits(1_000, 60, 5)), "concurrent"),
        (FULL, ""),
    ],
)
def test_a_narrowing_gives_nothing_new_leaves_something_and_changes_something(after: Scope, field: str) -> None:
    assert [problem.field for problem in narrowing_problems(FULL, after)] == [field]


def test_a_bound_can_be_set_and_tightened_and_not_loosened() -> None:
    def bounded(most: float) -> Scope:
        return Scope(FULL.functions, FULL.purposes, FULL.limits, {"temperature": Span(most=most)})

    assert narrowing_problems(FULL, bounded(1)) == []
    assert narrowing_problems(bounded(1), bounded(0.5)) == []
    assert [problem.field for problem in narrowing_problems(bounded(0.5), bounded(1))] == ["temperature_most"]
    assert [problem.field for problem in narrowing_problems(bounded(0.5), FULL)] == ["temperature_most"]


def test_the_changes_are_said_in_words_and_a_smaller_quota_stops_no_work() -> None:
    less = Scope(frozenset({"generate"}), frozenset({"P01"}), Limits(500, 60, 4), {"samples": Span(most=1)})
    said = changes(FULL, less)
    assert "no longer: detect" in said
    assert "no longer for: Evaluation and benchmarks" in said
    assert "tokens a day: 500 instead of 1,000" in said
    assert "samples at most 1" in said
    assert stops_work(FULL, less)
    assert not stops_work(FULL, Scope(FULL.functions, FULL.purposes, Limits(1, 1, 1)))


# --- Purposes -------------------------------------------------------------------------------------------------------


def test_the_purpose_of_a_job_is_the_grants_only_one_or_the_one_that_is_named() -> None:
    assert purpose_of_job(["P01"], "") == "P01"
    assert purpose_of_job(["P01"], "P01") == "P01"
    assert purpose_of_job(["P01", "P08"], "P08") == "P08"
    assert purpose_of_job([], "") == "", "no grant is needed, or it is older than the codes"
    assert purpose_of_job([], "P03") == "P03"


def test_a_missing_purpose_names_the_choices_a_foreign_one_is_refused_and_an_unknown_one_is_no_purpose() -> None:
    with pytest.raises(InvalidInput) as missing:
        purpose_of_job(["P01", "P08"], "")
    assert (missing.value.status, missing.value.field, missing.value.code) == (400, "purpose", "purpose_missing")
    assert "P01 (Detection of model-generated text); P08 (Evaluation and benchmarks)" in missing.value.change
    with pytest.raises(NotAllowed) as foreign:
        purpose_of_job(["P01", "P08"], "P15")
    assert (foreign.value.status, foreign.value.field, foreign.value.code) == (403, "purpose", "purpose_foreign")
    for wrong in ("P16", "p01", "P01 ", "\x00"):
        with pytest.raises(InvalidInput):
            purpose_of_job(["P01"], wrong)


@given(
    held=st.lists(st.sampled_from(sorted(PURPOSES)), unique=True, max_size=3),
    asked=st.sampled_from(["", "P01", "P15", "x"]),
)
def test_a_job_never_names_a_purpose_that_its_grant_is_not_for(held: list[str], asked: str) -> None:
    try:
        named = purpose_of_job(held, asked)
    except (InvalidInput, NotAllowed):
        return
    assert named in held if held else named == asked
