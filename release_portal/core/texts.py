"""Texts that people must write: not empty, not endless, and text."""

from __future__ import annotations

from release_portal.core.errors import InvalidInput


def needed_text(text: str, field: str, ask: str, *, longest: int) -> str:
    """Return a text without its margins; refuse one that is missing, too long, or no text.

    Args:
        text: what was typed.
        field: where it was typed.
        ask: what to write, as a sentence.
        longest: how many characters are kept.
    """
    if not text.strip() or "\x00" in text:
        raise InvalidInput(ask, field=field)
    if len(text) > longest:
        raise InvalidInput(f"At most {longest:,} characters.", field=field)
    return text.strip()
