"""Environment variables are typed: what cannot be read is an error that names the variable, never a silent no."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from release_portal.core.environment import FALSE, TRUE, Environment


def env(**values: str) -> Environment:
    return Environment(values)


def test_a_variable_that_is_not_set_has_its_default() -> None:
    empty = env()
    assert empty.text("A", "x") == "x"
    assert empty.boolean("B", default=True) is True
    assert empty.integer("C", 5) == 5
    assert empty.words("D", "a, b") == ["a", "b"]
    assert empty.path("E", Path("/x")) == Path("/x")
    assert empty.asked == {"A": "x", "B": "1", "C": "5", "D": "a, b", "E": "/x"}


@pytest.mark.parametrize("word", sorted(TRUE))
def test_words_for_yes(word: str) -> None:
    assert env(A=f" {word.upper()} ").boolean("A", default=False) is True


@pytest.mark.parametrize("word", sorted(FALSE))
def test_words_for_no(word: str) -> None:
    assert env(A=word).boolean("A", default=True) is False


@pytest.mark.parametrize("word", ["2", "tru", "y", "none"])
def test_anything_else_is_neither(word: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"A is .* write 1 or 0"):
        env(A=word).boolean("A", default=False)


@pytest.mark.parametrize("value", ["", "x", "1.5", "1e3", "0", "-1"])
def test_a_whole_number_of_at_least(value: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="^A "):
        env(A=value).integer("A", 8000, least=1)
    assert env(A="1").integer("A", 8000, least=1) == 1


def test_words_lose_blanks_and_empty_ones() -> None:
    assert env(A=" a ,, b,").words("A") == ["a", "b"]


def test_a_path_is_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert env(A="x/../y").path("A", Path("/z")) == tmp_path / "y"


def test_a_secret_may_lie_in_a_file_and_the_file_wins(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("from the file\n")
    assert env(A="from the shell", A_FILE=str(secret)).text("A") == "from the file"


def test_a_secret_file_that_cannot_be_read_is_an_error_and_not_an_empty_secret(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match="A_FILE"):
        env(A_FILE=str(tmp_path / "none")).text("A")
