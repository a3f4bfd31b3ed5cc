"""Can the size take this prompt? Counted in the portal with the size's own tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from django.conf import settings

from release_portal.core.errors import InvalidInput
from release_portal.registry.models import ModelSize, Revision
from release_portal.registry.tokens import end_token, prompt_tokenizer

SHOWN_CHARACTERS = 8


def tokens_in(size: ModelSize, revision: Revision, prompt: str, *, most_new: int) -> int:
    """Return how many tokens the prompt has; raise InvalidInput when the size cannot take it.

    Args:
        most_new: completion tokens asked for, per sample; prompt and completion share the context.
    """
    if not prompt.strip():
        raise InvalidInput(
            "The prompt is empty.", field="prompt", code="prompt_empty", change="Write something to continue."
        )
    tokenizer = prompt_tokenizer(settings.STORE_ROOT, revision.digest)
    if missing := tokenizer.uncovered(prompt):
        shown = ", ".join(f"{character!r}" for character in missing[:SHOWN_CHARACTERS])
        raise InvalidInput(
            f"{size.name} has no tokens for: {shown}.",
            field="prompt",
            code="prompt_not_covered",
            change="Remove these characters.",
        )
    count = tokenizer.count(prompt)
    limit = min(size.context or settings.SERVED_CONTEXT, settings.SERVED_CONTEXT)
    left = limit - count
    if count + most_new > limit:
        raise InvalidInput(
            f"The prompt has {count:,} tokens and {most_new:,} more are asked for; {size.name} takes {limit:,} in all.",
            field="max_tokens" if left > 0 else "prompt",
            code="context_exceeded",
            change=f"Shorten the prompt, or ask for at most {left:,} tokens." if left > 0 else "Shorten the prompt.",
        )
    return count


def text_of(size: ModelSize, revision: Revision, ids: Sequence[int]) -> str:
    """Return the text whose tokens a client sent; raise InvalidInput where no text is read as exactly these."""
    text = prompt_tokenizer(settings.STORE_ROOT, revision.digest).text_of(ids)
    if text is None:
        raise InvalidInput(
            f"There is no text that {size.name} reads as exactly these token ids.",
            field="prompt",
            code="prompt_not_a_text",
            change="Send the text itself, or ids as the size's own tokenizer gives them.",
        )
    return text


def end_of_text(size: ModelSize, revision: Revision) -> str:
    """Return the token with which a size's texts end; raise InvalidInput where its files name none."""
    text = end_token(settings.STORE_ROOT, revision.digest)
    if text is None:
        raise InvalidInput(
            f"{size.name} names no end-of-text token.",
            field="prompt",
            code="prompt_empty",
            change="Write something to continue.",
        )
    return text


def require_tokens(size: ModelSize, revision: Revision, bias: Iterable[tuple[int, float]]) -> None:
    """Raise InvalidInput unless each biased token is in the vocabulary."""
    vocabulary = prompt_tokenizer(settings.STORE_ROOT, revision.digest).vocabulary
    unknown = [token for token, _ in bias if token >= vocabulary]
    if unknown:
        raise InvalidInput(
            f"{size.name} has no token {unknown[0]}; its vocabulary has {vocabulary:,} tokens.",
            field="logit_bias",
            code="token_unknown",
            change="Name tokens of this size's own vocabulary.",
        )
