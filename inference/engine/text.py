"""From token ids to text that may be shown: whole characters only, nothing that may still become a stop string."""

from __future__ import annotations

from collections.abc import Callable, Iterable

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"  # what a decoder writes for bytes that are not (yet) a character


Decode = Callable[[list[int]], str]  # token ids -> text, special tokens left out


class Detokenizer:
    """Decodes one token at a time; the pieces joined are the decoded whole.

    A short window of earlier tokens is decoded along, because some tokenizers write a token differently at the
    start of a text (leading space) and some spread one character over several tokens.

    Args:
        decode: token ids -> text.
        before: the last token ids of the prompt, context of the first new token.
    """

    def __init__(self, decode: Decode, before: Iterable[int] = ()) -> None:
        self._decode = decode
        self._window = list(before)
        self._fixed = len(self._window)  # tokens of the window whose text has been written
        self._written = len(decode(self._window)) if self._window else 0  # characters of the window's text

    def feed(self, token: int) -> str:
        """Return the characters that this token completed."""
        self._window.append(token)
        text = self._decode(self._window)
        # Only the replacement characters at the very end can still change: what follows them is not known yet.
        whole = text.rstrip(REPLACEMENT)
        fresh = whole[self._written :]
        if len(whole) == len(text):
            self._slide()
        else:
            self._written = max(self._written, len(whole))
        return fresh

    def flush(self) -> str:
        """Return what is left, incomplete characters as replacement characters."""
        fresh = self._decode(self._window)[self._written :]
        self._written += len(fresh)
        return fresh

    def _slide(self) -> None:
        self._window = self._window[self._fixed :]
        self._fixed = len(self._window)
        self._written = len(self._decode(self._window))


class StopStrings:
    """Cuts a text at the stop string that is complete first, wherever the pieces of the text are cut.

    Args:
        stops: the stop strings; empty ones are ignored.
    """

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(stop for stop in stops if stop)
        self._held = ""

    def feed(self, text: str) -> tuple[str, bool]:
        """Return (text that may be shown, whether a stop string was met); the stop string itself is never shown."""
        self._held += text
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            # The first to be complete: the same one as if the text had come character by character.
            shown, self._held = self._held[: min(found)[1]], ""
            return shown, True
        keep = self._possible_stop()
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown, False

    def flush(self) -> str:
        """Return what was held back; no stop string can be completed any more."""
        shown, self._held = self._held, ""
        return shown

    def _possible_stop(self) -> int:
        """Length of the longest end of the held text that begins a stop string."""
        longest = max((len(stop) - 1 for stop in self._stops), default=0)
        for length in range(min(longest, len(self._held)), 0, -1):
            if any(stop.startswith(self._held[-length:]) for stop in self._stops):
                return length
        return 0
