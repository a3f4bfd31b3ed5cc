"""What is downloaded as a table never runs in the spreadsheet of whoever opens it."""

from __future__ import annotations

import pytest

from release_portal.pages.sheets import cell, sheet


@pytest.mark.parametrize("typed", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\uff1d1+1"])
def test_T22_text_that_would_run_as_a_formula_begins_with_an_apostrophe(typed: str) -> None:
    """Seen to fail with `cell` left out of `sheet`."""
    assert cell(typed) == "'" + typed
    assert "'" in sheet("x.csv", ["a"], [[typed]]).content.decode()


def test_figures_and_ordinary_text_stay_as_they_are() -> None:
    assert [cell(value) for value in (-3, None, "plain", "a=b", "")] == [-3, None, "plain", "a=b", ""]


def test_a_sheet_is_a_file_with_a_name_and_its_columns() -> None:
    answer = sheet("x.csv", ["a", "b"], [[1, "two, three"]])
    assert answer.content.decode() == 'a,b\r\n1,"two, three"\r\n'
    assert answer["Content-Disposition"] == 'attachment; filename="x.csv"'
