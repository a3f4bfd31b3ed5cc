"""How long a text must and may be, and what is read of it (pure)."""

from __future__ import annotations

from release_portal.core.errors import InvalidInput

# Below this the authors of Binoculars refuse in their own demo: ranks and curvature of fewer tokens are noise.
LEAST_TOKENS = 64
# From here on methods of this kind separate well enough to be worth measuring; shorter reports say so.
ADVISED_TOKENS = 200
# What a worker holds of a context unless it is set up for more, and about what a page can show token by token.
MOST_TOKENS = 2_048

NOTHING_DONE = "Nothing was submitted or charged."


def read_text(text: str) -> str:
    """Return the text without the white space around it; raises InvalidInput for what is no text."""
    if "\x00" in text:
        raise refuse("The text holds a NUL character.", "Remove it.", code="text_not_covered")
    read = text.replace("\r\n", "\n").strip()
    if not read:
        raise refuse("There is no text.", "Paste the text that you want to ask about.", code="text_empty")
    return read


def check_length(count: int, most: int, size: str) -> None:
    """Refuse a text with too few or too many tokens.

    Args:
        count: its tokens, as the size counts them.
        most: what the size takes.
        size: its name.
    """
    if count < LEAST_TOKENS:
        reason = f"The text has {count:,} tokens for {size}; below {LEAST_TOKENS} the numbers say nothing."
        raise refuse(reason, "Paste a longer piece of the same text.", code="text_too_short")
    if count > most:
        raise too_long(size, most)


def too_long(size: str, most: int) -> InvalidInput:
    """Return the error for a text that is longer than a size takes."""
    return refuse(
        f"{size} takes {most:,} tokens at a time; the text has more.", "Ask about a part of it.", code="text_too_long"
    )


def most_tokens(context: int | None) -> int:
    """Return how many tokens of text a size with this context takes."""
    return min(context or 1_024, MOST_TOKENS)


def refuse(reason: str, change: str, *, code: str) -> InvalidInput:
    """Return the error at the text field."""
    return InvalidInput(reason, field="text", code=code, change=f"{change} {NOTHING_DONE}")
