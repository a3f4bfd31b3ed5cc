"""Text comes out whole: no half characters, nothing of a stop string."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.engine.text import REPLACEMENT, Detokenizer, StopStrings


def decode_bytes(ids) -> str:
    """A byte-level vocabulary: every token is one byte."""
    return bytes(ids).decode(errors="replace")


def decode_fallback(ids) -> str:
    """A vocabulary with byte fallback: a run of bytes that is no text becomes one replacement per byte."""
    out, run = "", []
    for token in [*ids, None]:
        if token is not None and token >= 128:
            run.append(token)
            continue
        try:
            out += bytes(run).decode()
        except UnicodeDecodeError:
            out += REPLACEMENT * len(run)
        run = []
        out += chr(token) if token is not None else ""
    return out


@pytest.mark.parametrize("decode", [decode_bytes, decode_fallback])
@given(text=st.text(max_size=30), prompt=st.text(max_size=5))
def test_pieces_joined_are_the_text_and_no_piece_holds_half_a_character(decode, text, prompt):
    detokenizer = Detokenizer(decode, list(prompt.encode())[-4:] if prompt.isascii() else list(prompt.encode()))
    pieces = [detokenizer.feed(token) for token in text.encode()]
    assert not any(REPLACEMENT in piece for piece in pieces) or REPLACEMENT in text
    assert "".join(pieces) + detokenizer.flush() == text


@given(data=st.binary(max_size=30))
def test_bytes_that_are_no_text_come_out_as_a_decoder_would_show_them(data):
    detokenizer = Detokenizer(decode_bytes)
    pieces = [detokenizer.feed(token) for token in data]
    assert "".join(pieces) + detokenizer.flush() == decode_bytes(data)


def test_an_unfinished_character_is_held_back_and_shown_broken_only_at_the_end():
    detokenizer = Detokenizer(decode_bytes)
    assert [detokenizer.feed(token) for token in "a🙂".encode()[:-1]] == ["a", "", "", ""]
    assert detokenizer.flush() == REPLACEMENT


def cut(text: str, stops: list[str], sizes: list[int]) -> tuple[str, bool]:
    filter_ = StopStrings(stops)
    shown, at = "", 0
    for size in [*sizes, len(text)]:
        piece, is_stopped = filter_.feed(text[at : at + size])
        shown, at = shown + piece, at + size
        if is_stopped:
            return shown, True
    return shown + filter_.flush(), False


@given(
    text=st.text("ab\n", max_size=20),
    stops=st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3),
    sizes=st.lists(st.integers(1, 4), max_size=20),
)
def test_a_stop_string_is_met_at_the_same_place_wherever_tokens_end(text, stops, sizes):
    by_character = cut(text, stops, [1] * len(text))
    assert cut(text, stops, sizes) == by_character
    shown, is_stopped = by_character
    assert is_stopped == any(stop in text for stop in stops)
    assert text.startswith(shown)
    assert not any(stop in shown for stop in stops)


def test_a_stop_string_across_tokens_is_never_shown_but_its_beginning_is_when_it_was_none():
    stops = StopStrings(["END"])
    assert [stops.feed(piece) for piece in ("so E", "N", "x E", "ND more")] == [
        ("so ", False),
        ("", False),
        ("ENx ", False),
        ("", True),
    ]
