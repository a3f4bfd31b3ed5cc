"""`manage.py replay`: a table that people read, values for programs, and refusals with the way out."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from release_portal.releases.policy_files import packaged_text


def said(*arguments: str) -> str:
    out = StringIO()
    call_command("replay", "gpt2-2019", *arguments, stdout=out)
    return out.getvalue()


def held(text: str) -> dict[str, list[str]]:
    return {one["label"]: one["held_by"] for one in json.loads(text)["openings"]}


def test_the_table_has_a_row_for_each_opening_and_fits_100_columns() -> None:
    text = said("--policy", "preset")
    rows = {line.split()[0]: line for line in text.splitlines() if line[:1].isdigit() and "opened" not in line}
    assert set(rows) == {"124M", "355M", "774M", "1558M"}
    assert "Held by assessed criteria" in text
    assert "Not assessable from the record" in text
    assert "C02, C17" in rows["124M"]
    assert "nothing" in rows["1558M"]
    assert max(map(len, text.splitlines())) <= 100


def test_the_table_says_what_was_compared_more_mildly_and_what_was_known_only_later() -> None:
    text = " ".join(said().split())
    assert "Compared by its point value: the record gives no interval." in text
    assert "It was known only on 2019-11-05; on the day of the opening: not run." in text
    assert "Never on this record" in text


def test_as_json_it_says_the_same_under_both_packaged_policies() -> None:
    expected = {"124M": ["C02", "C17"], "355M": ["C02"], "774M": ["C09"], "1558M": []}
    assert held(said("--json")) == expected
    assert held(said("--json", "--policy", "demo-fast")) == expected


def test_a_policy_from_a_file_counts_by_its_own_figures(tmp_path: Path) -> None:
    file = tmp_path / "mild.yaml"
    text = packaged_text("preset").replace("name: preset", "name: mild", 1)
    start = text.index("  C09:")
    file.write_text(text[:start] + text[start:].replace("threshold: 0.5", "threshold: 0.7", 1))
    assert held(said("--json", "--policy-file", str(file)))["774M"] == []


def test_an_unknown_policy_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(CommandError, match="Choose one of: preset, demo-fast"):
        said("--policy", "nobodys")


def test_a_file_that_is_missing_no_text_or_no_policy_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "bad.yaml"
    with pytest.raises(CommandError, match="cannot be read"):
        said("--policy-file", str(file))
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(CommandError, match="cannot be read"):
        said("--policy-file", str(file))
    file.write_text("name: x\n")
    with pytest.raises(CommandError, match="refused: line 1"):
        said("--policy-file", str(file))


def test_an_unknown_replay_is_refused() -> None:
    with pytest.raises(CommandError, match="gpt2-2019"):
        call_command("replay", "gpt-9")
