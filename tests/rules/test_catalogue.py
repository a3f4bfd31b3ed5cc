"""The catalogue says what the public record says, and marks what it only believes."""

from __future__ import annotations

import datetime
from itertools import pairwise
from pathlib import Path

import pytest

from release_portal.registry import catalogue
from release_portal.registry.catalogue import CatalogueError, FamilyFacts, SizeFacts, load_catalogue, load_family
from release_portal.releases import ladder

FAMILIES = {family.slug: family for family in load_catalogue()}
SIZES = {size.id: size for family in FAMILIES.values() for size in family.sizes}

GOOD = """
slug: tiny
name: Tiny
lab: Lab
ordinal: 1
summary: A small family.
licence: MIT
sizes:
  - id: lab/tiny-1m
    name: Tiny 1M
    aliases: [{name: 1M}]
    parameters: 1000000
    parameters_verified: true
    shape: {layers: 1, d_model: 8, heads: 2, context: 64, vocabulary: 100}
    shape_verified: true
    stage: open_weights
    artefacts: [{kind: weights, opened: 2020-01-02, verified: true}]
events:
  - date: 2020-01-02
    sizes: [lab/tiny-1m]
    stage: open_weights
    artefacts: [weights]
    what: The weights are opened.
    source: README
    verified: true
"""


def family_of(text: str, tmp_path: Path) -> FamilyFacts:
    """Load a family from a text."""
    path = tmp_path / "tiny.yaml"
    path.write_text(text)
    return load_family(path)


def gpt2_parameters(size: SizeFacts) -> int:
    """Token and position embeddings, the layers, and the last layer norm."""
    d = size.d_model
    return size.vocabulary * d + size.context * d + size.layers * (12 * d * d + 13 * d) + 2 * d


def opt_parameters(size: SizeFacts) -> int:
    """As GPT-2, but with two more positions; 350M embeds in 512, projects to its width and has no last norm."""
    d = size.d_model
    body = (size.context + 2) * d + size.layers * (12 * d * d + 13 * d)
    if size.id == "meta/opt-350m":
        return size.vocabulary * 512 + 2 * 512 * d + body
    return size.vocabulary * d + body + 2 * d


def smollm2_parameters(size: SizeFacts) -> int:
    """Tied embedding, grouped attention, gated feed-forward, two norms a layer and one at the end; no biases."""
    assert size.kv_heads
    assert size.d_mlp
    d = size.d_model
    attention = 2 * d * d + 2 * d * (d // size.heads) * size.kv_heads
    return size.vocabulary * d + size.layers * (attention + 3 * d * size.d_mlp + 2 * d) + d


FORMULAS = {"gpt2": gpt2_parameters, "opt": opt_parameters, "smollm2": smollm2_parameters}


def test_the_three_families_stand_in_their_order_with_all_their_sizes() -> None:
    assert [(slug, len(family.sizes)) for slug, family in FAMILIES.items()] == [("smollm2", 3), ("gpt2", 4), ("opt", 9)]


def test_ids_are_the_published_ones() -> None:
    assert list(SIZES) == [
        *(f"huggingfacetb/smollm2-{size}-instruct" for size in ("135m", "360m", "1.7b")),
        *(f"openai/gpt2-{size}" for size in ("124m", "355m", "774m", "1558m")),
        *(f"meta/opt-{size}" for size in ("125m", "350m", "1.3b", "2.7b", "6.7b", "13b", "30b", "66b", "175b")),
    ]


@pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.slug)
def test_the_exact_parameter_counts_follow_from_the_shapes(family: FamilyFacts) -> None:
    formula = FORMULAS[family.slug]
    assert {size.id: formula(size) for size in family.sizes} == {size.id: size.parameters for size in family.sizes}


def test_gpt2_has_the_recorded_counts_and_heads_of_width_64() -> None:
    sizes = FAMILIES["gpt2"].sizes
    assert [size.parameters for size in sizes] == [124_439_808, 354_823_168, 774_030_080, 1_557_611_200]
    assert {size.d_model // size.heads for size in sizes} == {64}
    assert {(size.context, size.vocabulary) for size in sizes} == {(1024, 50_257)}


def test_opt_counts_lie_near_the_names_of_the_sizes() -> None:
    billions = {"125m": 0.125, "350m": 0.35, "1.3b": 1.3, "2.7b": 2.7, "6.7b": 6.7, "13b": 13, "30b": 30, "66b": 66}
    named = {**billions, "175b": 175}
    assert [
        size.id
        for size in FAMILIES["opt"].sizes
        if abs(size.parameters / (named[size.id.removeprefix("meta/opt-")] * 1e9) - 1) > 0.06
    ] == []


def test_sizes_are_ordered_from_the_smallest() -> None:
    for family in FAMILIES.values():
        assert [size.ordinal for size in family.sizes] == list(range(len(family.sizes)))
        assert sorted(family.sizes, key=lambda size: size.parameters) == list(family.sizes)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("117M", "openai/gpt2-124m"),
        ("gpt2", "openai/gpt2-124m"),
        ("small", "openai/gpt2-124m"),
        ("345M", "openai/gpt2-355m"),
        ("gpt2-medium", "openai/gpt2-355m"),
        ("762M", "openai/gpt2-774m"),
        ("gpt2-large", "openai/gpt2-774m"),
        ("1542M", "openai/gpt2-1558m"),
        ("1.5B", "openai/gpt2-1558m"),
        ("gpt2-xl", "openai/gpt2-1558m"),
    ],
)
def test_every_name_in_use_leads_to_its_size(name: str, size: str) -> None:
    assert name in [alias.name for alias in SIZES[size].aliases]


@pytest.mark.parametrize("name", ["117M", "345M", "762M", "1542M"])
def test_a_wrong_count_in_a_name_says_so(name: str) -> None:
    notes = [alias.note for size in SIZES.values() for alias in size.aliases if alias.name == name]
    assert len(notes) == 1
    assert "count" in notes[0]


def test_335m_is_nobodys_name() -> None:
    assert "335M" not in {alias.name for size in SIZES.values() for alias in size.aliases}


def test_stages_and_artefacts_are_those_of_the_ladder() -> None:
    assert tuple(stage.slug for stage in ladder.LADDER) == catalogue.STAGES
    assert ladder.ARTEFACT_KINDS == catalogue.ARTEFACT_KINDS


def test_each_size_begins_on_its_stage() -> None:
    others = {id_: size.stage for id_, size in SIZES.items() if size.stage != "open_weights"}
    assert others == {
        "huggingfacetb/smollm2-135m-instruct": "research_hosted",
        "huggingfacetb/smollm2-360m-instruct": "disclosed",
        "huggingfacetb/smollm2-1.7b-instruct": "registered",
        "meta/opt-175b": "research_weights",
    }


def test_every_size_with_a_public_history_reached_its_stage_on_a_dated_day() -> None:
    dated = {id_ for family in FAMILIES.values() for event in family.events if event.stage for id_ in event.sizes}
    assert dated == {id_ for id_ in SIZES if not id_.startswith("huggingfacetb/")}


def test_the_gaps_between_the_four_openings_are_the_recorded_ones() -> None:
    artefacts = [artefact for size in FAMILIES["gpt2"].sizes for artefact in size.artefacts]
    days = [artefact.opened_on for artefact in artefacts if artefact.kind == "weights" and artefact.opened_on]
    assert [(later - earlier).days for earlier, later in pairwise(days)] == [77, 110, 77]


def test_every_date_lies_between_the_first_release_and_the_last() -> None:
    for family in FAMILIES.values():
        for event in family.events:
            assert datetime.date(2019, 2, 10) <= event.happened_on <= event.until <= datetime.date(2022, 12, 9)
        for artefact in (artefact for size in family.sizes for artefact in size.artefacts):
            assert artefact.opened_on is None or artefact.opened_on >= datetime.date(2019, 2, 10)


def test_events_stand_oldest_first_and_name_their_source() -> None:
    for family in FAMILIES.values():
        assert list(family.events) == sorted(family.events, key=lambda event: event.happened_on)
        assert all(event.source for event in family.events)


def test_general_knowledge_is_marked_unverified() -> None:
    unverified = {
        (event.happened_on.isoformat(), event.sizes)
        for family in FAMILIES.values()
        for event in family.events
        if not event.is_verified
    }
    assert unverified == {
        ("2019-05-01", ("openai/gpt2-774m", "openai/gpt2-1558m")),  # weights with partners
        ("2022-05-02", ("meta/opt-30b",)),  # there on the first day
        ("2022-05-02", ("meta/opt-66b",)),
    }
    assert [size.id for size in SIZES.values() if size.parameters_verified] == [
        "huggingfacetb/smollm2-135m-instruct",
        *(size.id for size in FAMILIES["gpt2"].sizes),
    ]


def test_the_weights_of_opt_30b_are_unverified_and_those_of_its_neighbours_are_not() -> None:
    flags = {
        size.id: artefact.is_verified
        for size in FAMILIES["opt"].sizes
        for artefact in size.artefacts
        if artefact.kind == "weights"
    }
    assert [id_ for id_, is_verified in flags.items() if not is_verified] == ["meta/opt-30b"]


def test_the_demo_family_says_that_its_staging_is_the_demos_own() -> None:
    assert "own staging" in FAMILIES["smollm2"].note
    assert all("Staged by the demo lab" in size.note for size in FAMILIES["smollm2"].sizes)


# --- What a wrong file is told -------------------------------------------------------------------------------------


def test_a_good_file_is_read(tmp_path: Path) -> None:
    family = family_of(GOOD, tmp_path)
    assert family.sizes[0].artefacts[0].opened_on == datetime.date(2020, 1, 2)
    assert family.events[0].until == datetime.date(2020, 1, 2)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("slug: tiny\n", "", "slug: is missing"),
        ("slug: tiny", "slug: 7", "slug: must be a text, not 7"),
        ("lab: Lab", "labb: Lab\nlab: Lab", "labb: is not a known key"),
        ("licence: MIT", "licence: " + "x" * 101, "licence: has 101 characters, at most 100"),
        ("stage: open_weights\n    artefacts", "stage: open\n    artefacts", "sizes[0].stage: 'open' is not one of"),
        ("parameters: 1000000", "parameters: 1M", "sizes[0].parameters: must be a whole number"),
        ("parameters: 1000000", "parameters: true", "sizes[0].parameters: must be a whole number"),
        ("    parameters_verified: true\n", "", "sizes[0].parameters_verified: is missing"),
        ("shape_verified: true", "shape_verified: yes please", "sizes[0].shape_verified: must be true or false"),
        ("layers: 1, ", "", "sizes[0].shape.layers: is missing"),
        ("layers: 1", "layers: 0", "sizes[0].shape.layers: must be a whole number of at least 1"),
        ("heads: 2", "heads: 2, depth: 3", "sizes[0].shape.depth: is not a known key"),
        ("id: lab/tiny-1m\n", "id: Tiny\n", "sizes[0].id: 'Tiny' is not of the form lab/size-slug"),
        ("kind: weights", "kind: wheels", "sizes[0].artefacts[0].kind: 'wheels' is not one of"),
        ("opened: 2020-01-02", "opened: soon", "sizes[0].artefacts[0].opened: must be a date"),
        ("[{kind: weights", "[{kind: weights, verified: true}, {kind: weights", "sizes[0].artefacts: lab/tiny-1m"),
        ("aliases: [{name: 1M}]", "aliases: [1M]", "sizes[0].aliases[0] must be a mapping"),
        ("aliases: [{name: 1M}]", "aliases: 1M", "sizes[0].aliases: must be a list"),
        ("date: 2020-01-02", "date: 2020-01-02 10:00:00", "events[0].date: must be a date"),
        ("date: 2020-01-02", "date: 2020-01-02\n    until: 2020-01-01", "events of 2020-01-02: until: lies before"),
        ("date: 2020-01-02", "date: 2020-02-30", "not readable as YAML"),
        (
            "sizes: [lab/tiny-1m]",
            "sizes: [lab/tiny-2m]",
            "events of 2020-01-02: sizes: lab/tiny-2m is not in this file",
        ),
        ("sizes: [lab/tiny-1m]", "sizes: [7]", "events[0].sizes: must be a list of texts"),
        ("    sizes: [lab/tiny-1m]\n", "", "events of 2020-01-02: sizes: a stage needs the sizes"),
        ("artefacts: [weights]", "artefacts: [wheels]", "events of 2020-01-02: artefacts: wheels is not one of"),
        (
            "    stage: open_weights\n    artefacts: [weights]",
            "    stage: partner",
            "sizes[0].stage: lab/tiny-1m stands",
        ),
        ("slug: tiny", "slug: [", "not readable as YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_its_name_and_the_key(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert GOOD.count(old) >= 1
    with pytest.raises(CatalogueError) as caught:
        family_of(GOOD.replace(old, new, 1), tmp_path)
    assert str(caught.value).startswith("tiny.yaml: ")
    assert message in str(caught.value)


def test_a_file_that_holds_no_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="tiny.yaml: the file must be a mapping"):
        family_of("- 1", tmp_path)


def test_a_size_smaller_than_the_one_before_it_is_refused(tmp_path: Path) -> None:
    start, end = GOOD.index("  - id:"), GOOD.index("events:")
    second = GOOD[start:end].replace("tiny-1m", "tiny-0m").replace("1000000", "1000")
    with pytest.raises(CatalogueError, match=r"sizes\[1\]\.parameters: lab/tiny-0m must be larger"):
        family_of(GOOD[:end] + second + GOOD[end:], tmp_path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("name: 1M}", "name: 2M}", "'lab/tiny-1m' names both"),
        ("lab/tiny-1m", "lab/tiny-2m", "'1m' names both lab/tiny-1m and lab/tiny-2m"),
    ],
)
def test_two_sizes_with_one_name_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "one.yaml").write_text(GOOD)
    (tmp_path / "two.yaml").write_text(GOOD.replace(old, new))
    with pytest.raises(CatalogueError, match=message):
        load_catalogue(tmp_path)
