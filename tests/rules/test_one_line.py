"""JSON on one line."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from release_portal.core.one_line import one_line


@given(st.text(st.characters(codec="utf-8")))
def test_it_is_one_line_by_every_rule_and_says_the_same(text: str) -> None:
    written = one_line({"text": text})
    assert len(written.splitlines()) == 1
    assert json.loads(written) == {"text": text}


def test_letters_stay_readable() -> None:
    assert one_line(["é", "日", "a\u2028b"]) == '["é", "日", "a\\u2028b"]'
