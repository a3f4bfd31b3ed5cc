"""What the serving benchmark reads from the stream of a request: first token, text, count, and an end that failed."""

from __future__ import annotations

import json
import math

import pytest

from benchmarks.serving.answer import Answer
from inference.contract import FinishReason, Piece, StreamKind, pieces_to_json
from release_portal.jobs.entries import Entry


def tokens(place: str, *texts: str) -> Entry:
    pieces = [Piece(0, text, at + 1) for at, text in enumerate(texts)]
    return place, {"kind": StreamKind.TOKENS.value, "step": "1", "body": pieces_to_json(pieces)}


def end(place: str, reason: FinishReason, error: str = "") -> Entry:
    usage = json.dumps({"prompt_tokens": 3, "completion_tokens": 2})
    return place, {"kind": StreamKind.END.value, "reason": reason.value, "error": error, "usage": usage}


def test_an_answer_is_read_from_entry_to_entry_and_its_first_token_is_timed() -> None:
    answer = Answer()
    answer.take(("1-0", {"kind": StreamKind.STARTED.value, "step": "0", "worker": "w"}), 1.0)
    assert answer == Answer(place="1-0", first=math.inf), "a start is no token"
    answer.take(tokens("2-0", "One", " two"), 2.0)
    answer.take(tokens("3-0", " three"), 3.0)
    assert answer == Answer(place="3-0", first=2.0, text="One two three"), "it is not over"
    answer.take(end("4-0", FinishReason.LENGTH), 4.0)
    assert answer == Answer(place="4-0", first=2.0, text="One two three", tokens=2, is_over=True)


@pytest.mark.parametrize("reason", [one for one in FinishReason if not one.is_success])
def test_an_end_without_success_ends_the_measurement(reason: FinishReason) -> None:
    with pytest.raises(RuntimeError, match=f"{reason.value}: why"):
        Answer().take(end("1-0", reason, "why"), 1.0)
