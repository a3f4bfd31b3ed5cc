"""The numbered promises about access: what docs/tests-of-access.md claims is a test that exists."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.BASE_DIR)
TABLE = ROOT / "docs" / "tests-of-access.md"
PROMISED = (*range(2, 8), *range(9, 20), *range(22, 28), 37, 38, 39, 41, 44)
ROW = re.compile(r"^\| T(\d+) \| [^|]+ \| ([^|]+) \|$", re.MULTILINE)
DEFINITION = re.compile(r"^ *(?:async )?def (test_(?:T\d+_)+\w+)\(", re.MULTILINE)
NUMBER = re.compile(r"(?<=_)T(\d+)(?=_)")


def claimed() -> dict[int, tuple[str, ...]]:
    """Number -> the tests that the table names for it; none where it says that the number is open."""
    rows = ROW.findall(TABLE.read_text(encoding="utf-8"))
    return {int(number): tuple(re.findall(r"`(\w+)`", tests)) for number, tests in rows}


def numbered() -> dict[str, frozenset[int]]:
    """Every test with a number in its name -> its numbers."""
    names = [name for path in (ROOT / "tests").rglob("test_*.py") for name in DEFINITION.findall(path.read_text())]
    return {name: frozenset(map(int, NUMBER.findall(name))) for name in names}


def test_the_table_has_a_row_for_every_promised_number_and_no_other() -> None:
    assert sorted(claimed()) == sorted(PROMISED)


def test_every_test_that_the_table_claims_exists_and_bears_the_number() -> None:
    exist = numbered()
    missing = {name for number, tests in claimed().items() for name in tests if number not in exist.get(name, ())}
    assert missing == set()


def test_a_number_without_a_test_is_called_open() -> None:
    rows = dict(ROW.findall(TABLE.read_text(encoding="utf-8")))
    exist = {number for numbers in numbered().values() for number in numbers}
    for number, tests in claimed().items():
        assert bool(tests) != rows[str(number)].startswith("open"), f"T{number} is either tested or open"
        assert tests or number not in exist, f"T{number} has tests: the table may name them"


def test_a_name_may_bear_several_numbers() -> None:
    assert NUMBER.findall("test_T26_T41_time_grants_nothing") == ["26", "41"]
