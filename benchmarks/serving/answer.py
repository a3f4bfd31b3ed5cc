"""What was read so far of the stream of one request (pure)."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

from inference.contract import FinishReason, StreamKind, pieces_from_json
from release_portal.jobs.entries import Entry


@dataclass
class Answer:
    """The answer to one request, as far as it has come.

    Args:
        place: id of the last entry that was read.
        first: moment at which the first token was read; infinite before.
        tokens: new tokens, known with the end.
    """

    place: str = "0"
    first: float = math.inf
    text: str = ""
    tokens: int = 0
    is_over: bool = False

    def take(self, entry: Entry, moment: float) -> None:
        """Add an entry that was read at a moment; raises RuntimeError for the end of what failed."""
        self.place, fields = entry
        if fields["kind"] == StreamKind.TOKENS:
            self.first = min(self.first, moment)
            self.text += "".join(piece.text for piece in pieces_from_json(fields["body"]))
        elif fields["kind"] == StreamKind.END:
            self._end(fields)

    def _end(self, fields: dict[str, str]) -> None:
        if not FinishReason(fields["reason"]).is_success:
            raise RuntimeError(f"{fields['reason']}: {fields['error']}")
        self.tokens = json.loads(fields["usage"])["completion_tokens"]
        self.is_over = True
