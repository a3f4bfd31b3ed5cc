"""What changed between two texts, line by line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass


@dataclass(frozen=True)
class Change:
    """A line that is gone or new."""

    is_new: bool
    text: str


def changed_lines(old: str, new: str) -> list[Change]:
    """Return the lines that were taken out and put in, in reading order, without empty ones."""
    lines = difflib.ndiff(old.splitlines(), new.splitlines())
    marked = [(line[:2], line[2:].strip()) for line in lines]
    return [Change(mark == "+ ", text) for mark, text in marked if mark in ("+ ", "- ") and text]
