"""Log-probabilities in the two shapes that clients read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from release_portal.openai_api.logprobs import BROKEN, LogprobWriter


def token(text: str, logprob: float | None = -1.0, *top: tuple[str, float]) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "top": [list(one) for one in top]}


def test_a_completion_names_tokens_their_likelihoods_and_where_they_begin() -> None:
    written = LogprobWriter(is_chat=False).write(
        [token("The", None), token(" sea", -0.5, (" sea", -0.5), (" sun", -1.5)), token(" is", -3.0, (" was", -0.1))]
    )
    assert written == {
        "tokens": ["The", " sea", " is"],
        "token_logprobs": [None, -0.5, -3.0],
        "top_logprobs": [None, {" sea": -0.5, " sun": -1.5}, {" was": -0.1, " is": -3.0}],
        "text_offset": [0, 3, 7],
    }


def test_a_stream_goes_on_where_its_last_chunk_ended() -> None:
    writer = LogprobWriter(is_chat=False)
    assert writer.write([token("The")])["text_offset"] == [0]
    assert writer.write([])["text_offset"] == []
    assert writer.write([token(" sea"), token("!")])["text_offset"] == [3, 7]


def test_parts_of_one_character_share_its_place() -> None:
    """Seen to fail with every part counted as a character of its own."""
    parts = [token("a"), token(BROKEN), token(BROKEN), token(BROKEN), token("b")]
    assert LogprobWriter(is_chat=False).write(parts)["text_offset"] == [0, 1, 1, 1, 2]


def test_tokens_that_look_the_same_are_named_once_with_the_better_number() -> None:
    parts = token(BROKEN, -2.0, (BROKEN, -1.0), (BROKEN, -1.5))
    assert LogprobWriter(is_chat=False).write([parts])["top_logprobs"] == [{BROKEN: -1.0}]


def test_a_chat_names_bytes_and_knows_none_of_a_part_of_a_character() -> None:
    writer = LogprobWriter(is_chat=True)
    (first,) = writer.write([token("é", -0.5, ("e", -0.7))])["content"]
    assert first == {
        "token": "é", "logprob": -0.5, "bytes": [195, 169],
        "top_logprobs": [{"token": "e", "logprob": -0.7, "bytes": [101]}],
    }  # fmt: skip
    assert writer.write([token(BROKEN)])["content"][0]["bytes"] is None


@given(texts=st.lists(st.text(alphabet="aé🙂 ", min_size=1, max_size=4), max_size=6))
def test_the_places_are_those_of_the_joined_text(texts: list[str]) -> None:
    places = LogprobWriter(is_chat=False).write([token(text) for text in texts])["text_offset"]
    joined = "".join(texts)
    assert all(joined[place:].startswith(text) for place, text in zip(places, texts, strict=True))
