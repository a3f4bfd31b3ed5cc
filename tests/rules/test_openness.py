"""Openness: computed from stage, artefacts and licence; each scale says what is missing for its next level."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from release_portal.releases.ladder import ARTEFACT_KINDS, LADDER, Stage, artefacts_open_at
from release_portal.releases.openness import (
    COMPONENTS,
    Level,
    is_open_licence,
    liang_level,
    matrix,
    mof_class,
    openness_of,
    solaiman_level,
)

ALL = frozenset(ARTEFACT_KINDS)
CLASS_III = frozenset({"code", "weights", "paper", "card"})


def lacking(level: Level) -> list[str]:
    return [lack.component for lack in level.lacks]


@pytest.mark.parametrize(
    ("stage", "solaiman", "liang", "mof"),
    [
        ("registered", "closed", "L0", "none"),
        ("disclosed", "closed", "L1", "none"),
        ("partner", "staged", "L2-", "none"),
        ("research_hosted", "hosted", "L2", "none"),
        ("public_hosted", "api", "L2", "none"),
        ("research_weights", "downloadable_approved", "L3-approved", "none"),
        ("open_weights", "downloadable", "L3-", "III"),
        ("open_science", "fully_open", "L3", "I"),
    ],
)
def test_each_stage_with_what_the_ladder_opens_stands_on_the_three_scales(
    stage: str, solaiman: str, liang: str, mof: str
) -> None:
    levels = openness_of(stage, frozenset(artefacts_open_at(stage)), "apache-2.0")
    assert [level.name for level in levels] == [solaiman, liang, mof]


def test_what_really_is_open_counts_whatever_the_stage_is_called() -> None:
    """A size whose weights were opened long ago is downloadable, also where its stage says less."""
    assert solaiman_level("registered", {"weights"}).name == "downloadable"
    assert solaiman_level("open_weights", set()).name == "downloadable_approved"
    assert lacking(solaiman_level("open_weights", set())) == ["weights"]


def test_weights_for_approved_researchers_are_not_open_weights() -> None:
    level = solaiman_level("research_weights", set())
    assert (level.label, level.next_label) == ("downloadable for approved researchers", "downloadable")
    assert level.lacks[0].reason == "The artefact weights is not open to everyone."
    assert level.reason == "The size stands at Research weights. Approved researchers also download the weights."


def test_weights_without_their_data_are_the_third_level_only_in_part() -> None:
    level = liang_level("open_weights", {"paper", "weights"})
    assert (level.name, lacking(level)) == ("L3-", ["data"])


def test_the_portal_claims_nothing_of_compute() -> None:
    level = liang_level("open_science", ALL)
    assert (level.name, lacking(level)) == ("L3", ["compute"])


def test_the_top_of_a_scale_lacks_nothing() -> None:
    level = solaiman_level("open_science", ALL)
    assert (level.next_label, level.lacks) == ("", ())


# --- Model Openness Framework --------------------------------------------------------------------------------------


def test_the_framework_has_seventeen_components_and_three_classes() -> None:
    assert len({component.name for component in COMPONENTS}) == 17
    assert {component.mof_class for component in COMPONENTS} == {"III", "II", "I"}
    assert {component.artefact for component in COMPONENTS} - {""} <= ALL


def test_a_class_names_the_components_that_are_missing_for_the_next() -> None:
    level = mof_class({"weights", "card"}, "mit")
    assert (level.name, level.next_label) == ("none", "class III, open model")
    assert lacking(level) == ["model architecture", "technical report"]


def test_samples_are_optional() -> None:
    assert mof_class(CLASS_III, "mit").name == mof_class(CLASS_III | {"samples"}, "mit").name == "III"


def test_code_that_runs_a_model_is_not_the_code_that_trained_it() -> None:
    level = mof_class(CLASS_III, "mit")
    assert (level.name, lacking(level)) == ("III", ["training code"])


def test_open_science_needs_the_logbook_as_well() -> None:
    level = mof_class(CLASS_III | {"data"}, "mit")
    assert (level.name, lacking(level)) == ("II", ["model metadata"])


def test_what_the_portal_cannot_tell_is_named_beside_the_class() -> None:
    level = mof_class(ALL, "mit")
    assert level.label == "class I, open science, as far as this portal can tell"
    assert level.unknown == ("evaluation data", "intermediate weights")


@pytest.mark.parametrize(
    ("licence", "reason"),
    [
        ("", "No licence is stated."),
        ("cc-by-nc-4.0", "The licence cc-by-nc-4.0 is not on the list of open licences."),
        ("other", "The licence other is not on the list of open licences."),
    ],
)
def test_without_an_open_licence_no_class_is_reached(licence: str, reason: str) -> None:
    level = mof_class(ALL, licence)
    assert (level.name, lacking(level), level.lacks[0].reason) == ("none", ["licence"], reason)


def test_identifiers_of_licences_are_read_in_any_case() -> None:
    assert is_open_licence(" Apache-2.0 ")
    assert not is_open_licence("apache")


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(LADDER),
    st.sets(st.sampled_from(ARTEFACT_KINDS)),
    st.sampled_from(["mit", "other", ""]),
    st.sampled_from(ARTEFACT_KINDS),
)
def test_opening_one_artefact_more_never_makes_a_size_less_open(
    stage: Stage, artefacts: set[str], licence: str, more: str
) -> None:
    orders = (
        ["closed", "staged", "hosted", "api", "downloadable_approved", "downloadable", "fully_open"],
        ["L0", "L1", "L2-", "L2", "L3-approved", "L3-", "L3", "L4"],
        ["none", "III", "II", "I"],
    )
    before, after = openness_of(stage.slug, artefacts, licence), openness_of(stage.slug, artefacts | {more}, licence)
    for order, low, high in zip(orders, before, after, strict=True):
        assert order.index(low.name) <= order.index(high.name)
        assert low.reason
        assert bool(low.lacks) == bool(low.next_label)


# --- The matrix ----------------------------------------------------------------------------------------------------


def test_the_matrix_has_a_sentence_for_each_artefact_at_each_stage() -> None:
    rows = matrix()
    assert [row.artefact for row in rows] == list(ARTEFACT_KINDS)
    assert all([cell.stage for cell in row.cells] == [stage.slug for stage in LADDER] for row in rows)
    assert all(cell.audience.endswith(".") for row in rows for cell in row.cells)


def test_the_matrix_opens_exactly_what_the_ladder_opens() -> None:
    for place, stage in enumerate(LADDER):
        open_here = {row.artefact for row in matrix() if row.cells[place].is_open}
        assert open_here == set(artefacts_open_at(stage.slug))


def test_weights_go_to_approved_researchers_before_everyone() -> None:
    weights = next(row for row in matrix() if row.artefact == "weights")
    said = {cell.stage: cell.audience for cell in weights.cells}
    assert said["public_hosted"] == "Staff only. It opens to everyone at Open weights."
    assert said["research_weights"] == "Approved researchers. It opens to everyone at Open weights."
    assert said["open_weights"] == "Everyone."
