"""What Redis answers when one stream is read."""

from __future__ import annotations

from typing import Any

Entry = tuple[str, dict[str, str]]  # id and fields


def entries_of(answer: Any) -> list[Entry]:
    """Return the entries of the one stream that was read, in whichever protocol's shape the client gives them.

    Args:
        answer: None, `[[name, entries]]`, or `{name: [entries]}`.
    """
    if not answer:
        return []
    if isinstance(answer, dict):
        (batches,) = answer.values()
        is_nested = bool(batches) and isinstance(batches[0], list)
        return [entry for batch in batches for entry in batch] if is_nested else list(batches)
    return list(answer[0][1])
