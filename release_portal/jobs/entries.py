"""What Redis answers when streams are read."""

from __future__ import annotations

from typing import Any

Entry = tuple[str, dict[str, str]]  # id and fields


def entries_of(answer: Any) -> list[Entry]:
    """Return the entries of the one stream that was read, in whichever protocol's shape the client gives them."""
    return next(iter(streams_of(answer).values()), [])


def streams_of(answer: Any) -> dict[str, list[Entry]]:
    """Return the entries of each stream that was read and had some.

    Args:
        answer: None, `[[name, entries]]`, or `{name: [entries]}`.
    """
    if not answer:
        return {}
    pairs = answer.items() if isinstance(answer, dict) else answer
    return {name: _flat(batches) for name, batches in pairs}


def _flat(batches: Any) -> list[Entry]:
    is_nested = bool(batches) and isinstance(batches[0], list)
    return [entry for batch in batches for entry in batch] if is_nested else list(batches)
