"""Fingerprints: what survives reformatting, what the spans point at, and that nothing matches without the key."""

from __future__ import annotations

import hashlib
import hmac
import string
import unicodedata
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from release_portal.provenance.fingerprint import (
    LEAST_HITS,
    LEAST_WORDS,
    SHINGLE_WORDS,
    WINDOW,
    hashes_of,
    winnow,
)
from release_portal.provenance.matching import Match, Posting, Strength, conclude
from release_portal.provenance.wording import words_of

GENERATED = (
    "In a shocking finding, scientists discovered a herd of unicorns living in a remote, previously unexplored valley "
    "in the Andes Mountains. Even more surprising to the researchers was the fact that the unicorns spoke perfect "
    "English. The scientist named the population after their distinctive horn, Ovid's Unicorn."
)
UNRELATED = (
    "Water is heated until it boils and the steam drives a turbine, which turns a generator; afterwards the steam is "
    "cooled in a condenser and pumped back as water, so that the same few tonnes go round and round for many years."
)


def mac(key: bytes = b"k" * 32):
    return lambda text: hmac.new(key, text.encode(), hashlib.sha256).digest()


def stored(text: str, key: bytes = b"k" * 32) -> list[Posting]:
    """What the portal would keep of a generation."""
    hashes = hashes_of(words_of(text), mac(key))
    return [Posting(hashes[place], place) for place in winnow(hashes)]


def match(text: str, *generations: str, key: bytes = b"k" * 32) -> Match:
    """Ask about a text where these generations were served."""
    words = words_of(text)
    places: dict[int, list[int]] = {}
    for place, value in enumerate(hashes_of(words, mac(key))):
        places.setdefault(value, []).append(place)
    shared = [[posting for posting in stored(one) if posting.value in places] for one in generations]
    found = [postings for postings in shared if len({posting.value for posting in postings}) >= LEAST_HITS]
    return conclude(words, places, found, len(found))


def marked(text: str, found: Match) -> list[str]:
    return [text[span.start : span.end] for span in found.spans]


def reads_same(one: str, other: str) -> bool:
    return [word.text for word in words_of(one)] == [word.text for word in words_of(other)]


# --- Words ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Don\u2019t panic", "don't PANIC"),
        ("well-known \u2014 *really*", "well known, really"),
        ("cafe\u0301 na\u00efve", "CAF\u00c9 nai\u0308ve"),
        ("\ufb01ne \uff21\uff22", "fine AB"),
        ("zero\u200bwidth so\u00adft", "zerowidth soft"),
        ("snake_case", "snake case"),
        ("Stra\u00dfe", "STRASSE"),
        ("\ud55c\uad6d", unicodedata.normalize("NFD", "\ud55c\uad6d")),
    ],
)
def test_the_same_words_in_another_dress_are_the_same(one: str, other: str) -> None:
    assert reads_same(one, other)


@pytest.mark.parametrize(("one", "other"), [("colour", "color"), ("unicorn", "unicorns"), ("p\u0430ge", "page")])
def test_other_spellings_and_lookalikes_are_other_words(one: str, other: str) -> None:
    assert not reads_same(one, other)


@given(st.text(max_size=60))
def test_words_stand_in_order_inside_the_text_and_spell_what_stands_there(text: str) -> None:
    words = words_of(text)
    assert all(0 <= word.start < word.end <= len(text) for word in words)
    assert all(before.start <= after.start and before.end <= after.end for before, after in pairwise(words))
    for word in words:
        inside = "".join(part.text for part in words_of(text[word.start : word.end]))
        assert word.text in inside


# --- Winnowing ------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 6), max_size=60))
def test_every_window_keeps_its_least_hash(hashes: list[int]) -> None:
    chosen = winnow(hashes)
    assert chosen == sorted(set(chosen))
    for start in range(len(hashes) - WINDOW + 1):
        window = hashes[start : start + WINDOW]
        kept = [place for place in chosen if start <= place < start + WINDOW]
        assert min(window) in [hashes[place] for place in kept]
    if 0 < len(hashes) < WINDOW:
        assert [hashes[place] for place in chosen] == [min(hashes)]


def test_winnowing_stores_about_two_in_five() -> None:
    hashes = hashes_of(words_of(" ".join(f"word{number}" for number in range(2_000))), mac())
    assert 0.35 < len(winnow(hashes)) / len(hashes) < 0.45


@given(st.integers(0, 40), st.integers(LEAST_WORDS, 30))
def test_any_unchanged_excerpt_of_the_least_length_is_found_and_exact(start: int, length: int) -> None:
    words = GENERATED.split()
    excerpt = " ".join(words[start : start + length])
    found = match(excerpt, GENERATED)
    if len(words_of(excerpt)) < LEAST_WORDS:
        assert found.strength is Strength.TOO_SHORT
    else:
        assert found.strength is Strength.EXACT
        assert found.covered >= found.words - 2 * (WINDOW - 1)
        assert len(found.spans) == 1


# --- Matching -------------------------------------------------------------------------------------------------------

SEPARATORS = st.text(alphabet=" \t\n.,;:!?-\u2014\u201c\u201d*_()", min_size=1, max_size=3)


@st.composite
def redressed(draw: st.DrawFn) -> str:
    """GENERATED with other case, white space and punctuation between the same words."""
    words = [GENERATED[word.start : word.end] for word in words_of(GENERATED)]
    return "".join(draw(st.sampled_from([str.upper, str.lower, str.title]))(word) + draw(SEPARATORS) for word in words)


@given(redressed())
def test_a_match_survives_case_white_space_and_punctuation(text: str) -> None:
    if "'" in text:  # str.title makes "Ovid'S"; still one word
        assert reads_same(text, GENERATED)
    found = match(text, GENERATED)
    assert (found.strength, found.generations) == (Strength.EXACT, 1)


@given(st.sampled_from(["", "And so it begins. ", "\u00c9mile said:\n\n"]), st.integers(0, 20), st.integers(20, 40))
def test_spans_point_at_the_words_that_were_served(before: str, start: int, length: int) -> None:
    excerpt = " ".join(GENERATED.split()[start : start + length])
    text = f"{before}{UNRELATED} {excerpt} {UNRELATED}"
    found = match(text, GENERATED)
    assert found.strength is Strength.NEAR
    (shown,) = marked(text, found)
    assert shown in excerpt
    assert len(words_of(shown)) >= len(words_of(excerpt)) - 2 * (WINDOW - 1)
    assert found.share == pytest.approx(len(words_of(shown)) / len(words_of(text)))


def replaced(text: str, numbers: Sequence[int]) -> str:
    words = text.split()
    for number in numbers:
        words[number] = "xylophone"
    return " ".join(words)


@given(st.integers(3, 40))
def test_one_changed_word_inside_is_near_and_is_not_marked(number: int) -> None:
    text = replaced(GENERATED, [number])
    found = match(text, GENERATED)
    assert found.strength is Strength.NEAR
    assert not any("xylophone" in shown for shown in marked(text, found))


def test_sentences_in_another_order_are_near_not_exact() -> None:
    first, second, third = GENERATED.split(". ")
    assert match(f"{third} {second}. {first}.", GENERATED).strength is Strength.NEAR


def test_two_generations_side_by_side_are_near_to_both() -> None:
    found = match(f"{GENERATED} {UNRELATED}", GENERATED, UNRELATED)
    assert (found.strength, found.generations) == (Strength.NEAR, 2)
    assert found.share > 0.9


def test_an_unrelated_text_does_not_match() -> None:
    assert match(UNRELATED, GENERATED) == Match(Strength.NONE, len(words_of(UNRELATED)))


@given(st.lists(st.text(string.ascii_lowercase, min_size=3, max_size=8), min_size=LEAST_WORDS, max_size=60))
def test_random_words_do_not_match(words: list[str]) -> None:
    assert match(" ".join(words), GENERATED).strength is Strength.NONE


def test_two_shared_phrases_are_too_few() -> None:
    phrase = " ".join(GENERATED.split()[:SHINGLE_WORDS])
    found = match(f"{phrase} {UNRELATED} {phrase}", GENERATED)
    assert found.strength is Strength.NONE
    assert found.spans == ()


def test_a_text_below_the_least_length_is_too_short_to_compare() -> None:
    short = " ".join(GENERATED.split()[: LEAST_WORDS - 1])
    assert match(short, GENERATED) == Match(Strength.TOO_SHORT, LEAST_WORDS - 1)
    assert match("", GENERATED).strength is Strength.TOO_SHORT
    assert match("... --- ...", GENERATED).share == 0


def test_another_key_finds_nothing() -> None:
    assert match(GENERATED, GENERATED).strength is Strength.EXACT
    assert match(GENERATED, GENERATED, key=b"other" * 8).strength is Strength.NONE


def test_fingerprints_fit_a_signed_column_of_64_bits() -> None:
    values = hashes_of(words_of(GENERATED), mac())
    assert all(-(2**63) <= value < 2**63 for value in values)
    assert min(values) < 0 < max(values)


def test_a_text_that_goes_in_circles_is_found_by_the_round_but_not_called_exact() -> None:
    circle = f"{GENERATED} " * 80
    found = match(circle, circle)
    assert found.strength is Strength.NEAR
    assert found.covered >= found.words - 2 * (WINDOW - 1)


def test_a_short_circle_has_too_few_different_fingerprints() -> None:
    assert match("round and round we go " * 80, "round and round we go " * 80).strength is Strength.NONE


def test_a_match_survives_being_stored() -> None:
    found = match(f"{UNRELATED} {GENERATED}", GENERATED)
    assert Match.from_data(found.to_data()) == found
