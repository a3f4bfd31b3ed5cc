"""What a text probably says next: what followed when it said the same before. No model, no torch."""

from __future__ import annotations

from collections.abc import Iterable

# By how many neighbouring tokens a place is known again, and how many tokens behind it are then a draft: three seldom
# stand there again by chance. The longer ones are asked first.
DRAFTED = {3: 8, 2: 3, 1: 2}


class PromptLookup:
    """Drafts the next tokens of one text.

    Prompt lookup (Saxena 2023, https://github.com/apoorvumang/prompt-lookup-decoding): a draft costs no model, and a
    model can read all of a draft in one pass.

    Args:
        tokens: the text so far.
    """

    def __init__(self, tokens: Iterable[int] = ()) -> None:
        self._tokens = list(tokens)
        self._behind: dict[tuple[int, ...], int] = {}  # neighbouring tokens -> the last place that follows them
        self._known = 1  # places before this one are in `_behind`

    def __len__(self) -> int:
        return len(self._tokens)

    def feed(self, tokens: Iterable[int]) -> None:
        """Add what came."""
        self._tokens.extend(tokens)

    def draft(self, most: int) -> tuple[int, ...]:
        """Return at most so many tokens that may come next; none where nothing was said twice."""
        self._note_places()
        for size, count in DRAFTED.items():
            if place := self._behind.get(tuple(self._tokens[-size:])):
                return self._from(place, min(most, count))
        return ()

    def _note_places(self) -> None:
        # Up to the last token, which nothing follows yet.
        for place in range(self._known, len(self._tokens)):
            for size in DRAFTED:
                if place >= size:
                    self._behind[tuple(self._tokens[place - size : place])] = place
        self._known = max(self._known, len(self._tokens))

    def _from(self, place: int, count: int) -> tuple[int, ...]:
        """Tokens from a place on; a text that goes round in a circle is thought to go on so."""
        circle = len(self._tokens) - place
        return tuple(self._tokens[place + at % circle] for at in range(count))
