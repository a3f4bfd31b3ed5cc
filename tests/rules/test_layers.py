"""Evidence in words: no verdict, no strength without calibration, and a text that can be put together again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.contract import ScoredToken
from release_portal.core.errors import InvalidInput
from release_portal.detection.evidence import Evidence
from release_portal.detection.gltr import RankCounts
from release_portal.detection.layers import Layer, all_layers, percent, record_layer
from release_portal.detection.limits import LEAST_TOKENS, MOST_TOKENS, check_length, most_tokens, read_text
from release_portal.detection.marking import passages, shown_tokens
from release_portal.provenance.matching import Match, Span, Strength

EVIDENCE = Evidence(101, 100, RankCounts((70, 20, 9, 1)), -2.5, 3.1, 1.234)
SIZE = "SmolLM2 135M"


# --- What may be said -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "sentence",
    [
        "The text was written by a model.",
        "This is AI-generated.",
        "It is human written.",
        "A probability of 98 %.",
        "It is likely from this model.",
        "This proves it.",
        "The text is fake.",
    ],
)
@pytest.mark.parametrize("is_calibrated", [True, False])
def test_no_layer_may_give_a_verdict(sentence: str, is_calibrated: bool) -> None:
    with pytest.raises(ValueError, match="no verdict"):
        Layer("ranks", "Ranks", (sentence,), is_calibrated)


@pytest.mark.parametrize("sentence", ["A strong signal.", "The curvature is high.", "It points to a model."])
def test_strength_needs_calibration(sentence: str) -> None:
    with pytest.raises(ValueError, match="no strength"):
        Layer("curvature", "Curvature", (sentence,))
    assert Layer("curvature", "Curvature", (sentence,), is_calibrated=True).statements == (sentence,)


counts = st.integers(0, 2_000)


@given(
    st.builds(
        Match,
        strength=st.sampled_from(Strength),
        words=st.integers(1, 2_000),
        covered=st.just(0),
        generations=st.integers(1, 10_000),
    ),
    st.none()
    | st.builds(
        Evidence,
        tokens=counts,
        scored=counts,
        ranks=st.builds(RankCounts, st.tuples(counts, counts, counts, counts)),
        mean_logprob=st.floats(-20, 0),
        mean_entropy=st.floats(0, 12),
        curvature=st.none() | st.floats(-50, 50),
    ),
)
def test_every_combination_finds_words_and_the_record_comes_first(match: Match, evidence: Evidence | None) -> None:
    layers = all_layers(match, evidence, SIZE)
    assert [layer.name for layer in layers] == ["record", *(["ranks", "curvature"] if evidence else [])]
    assert not any(layer.is_calibrated for layer in layers)
    assert all(layer.statements for layer in layers)


def test_the_record_says_how_much_and_how_many_but_not_whose() -> None:
    layer = record_layer(Match(Strength.NEAR, words=100, covered=42, generations=3, spans=(Span(0, 5),)))
    said = " ".join(layer.statements)
    assert "42 %" in said
    assert "3 generations match" in said


def test_the_numbers_are_stated_with_what_was_counted() -> None:
    ranks, curvature = all_layers(Match(Strength.NONE, 80), EVIDENCE, SIZE)[1:]
    assert "Of 100 tokens: 70 % from the model's 10 first choices" in ranks.statements[0]
    assert "1.23 over 100 tokens" in curvature.statements[0]


@pytest.mark.parametrize(
    ("part", "shown"), [(0, "0 %"), (0.001, "under 1 %"), (0.424, "42 %"), (0.999, "over 99 %"), (1, "100 %")]
)
def test_a_share_is_never_rounded_to_all_or_nothing(part: float, shown: str) -> None:
    assert percent(part) == shown


# --- How long a text may be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "code"), [(LEAST_TOKENS - 1, "text_too_short"), (LEAST_TOKENS, ""), (500, ""), (501, "text_too_long")]
)
def test_the_limits_of_length_are_named(count: int, code: str) -> None:
    if not code:
        check_length(count, 500, SIZE)
        return
    with pytest.raises(InvalidInput) as refusal:
        check_length(count, 500, SIZE)
    assert (refusal.value.field, refusal.value.code) == ("text", code)
    assert str(LEAST_TOKENS if code == "text_too_short" else 500) in refusal.value.reason


@pytest.mark.parametrize(("context", "most"), [(None, 1_024), (1_024, 1_024), (8_192, MOST_TOKENS)])
def test_a_size_takes_its_context_but_no_more_than_a_worker_holds(context: int | None, most: int) -> None:
    assert most_tokens(context) == most


@pytest.mark.parametrize("text", ["", " \r\n ", "a\x00b"])
def test_what_is_no_text_is_refused_at_its_field(text: str) -> None:
    with pytest.raises(InvalidInput) as refusal:
        read_text(text)
    assert refusal.value.field == "text"


def test_white_space_around_a_text_is_not_scored() -> None:
    assert read_text("\r\n one\r\ntwo \n") == "one\ntwo"


# --- Marking --------------------------------------------------------------------------------------------------------


@given(st.text(max_size=50), st.lists(st.integers(0, 50), max_size=8, unique=True))
def test_passages_joined_are_the_text(text: str, cuts: list[int]) -> None:
    edges = sorted(cut for cut in cuts if cut <= len(text))
    spans = [Span(start, end) for start, end in zip(edges[::2], edges[1::2], strict=False)]
    pieces = passages(text, spans)
    assert "".join(piece.text for piece in pieces) == text
    assert [piece.text for piece in pieces if piece.is_matched] == [text[one.start : one.end] for one in spans]


def test_tokens_of_one_character_are_shown_together_under_the_least_expected() -> None:
    text = "ab \N{SNOWMAN}!"
    tokens = [
        ScoredToken("ab", 0, 2),
        ScoredToken(" ", 2, 3, -0.1, 1),
        ScoredToken("\N{SNOWMAN}", 3, 4, -9.0, 4_000),
        ScoredToken("\N{SNOWMAN}", 3, 4, -0.5, 1),
        ScoredToken("!", 4, 5, -4.0, 70),
    ]
    shown = shown_tokens(text, tokens)
    assert [(one.text, one.rank_class) for one in shown] == [("ab", 0), (" ", 1), ("\N{SNOWMAN}", 4), ("!", 2)]
    assert shown[2].rank == 4_000


@given(st.text(max_size=40), st.data())
def test_tokens_joined_are_the_text_whatever_the_tokenizer_left_out(text: str, data: st.DataObject) -> None:
    edges = sorted(data.draw(st.sets(st.integers(0, len(text)), max_size=10)))
    tokens = [
        ScoredToken(text[start:end], start, end, -1.0, 5)
        for start, end in zip(edges, edges[1:], strict=False)
        if data.draw(st.booleans())
    ]
    assert "".join(one.text for one in shown_tokens(text, tokens)) == text
