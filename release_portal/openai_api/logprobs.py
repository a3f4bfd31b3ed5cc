"""What the model thought of its tokens, in the two shapes that clients read (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

BROKEN = "\ufffd"  # stands for a part of a character that several tokens make up

Token = Mapping[str, Any]  # token, logprob, top: as the worker writes them


@dataclass
class LogprobWriter:
    """Writes the tokens of one choice, in their order; it counts where in the text each begins.

    Args:
        is_chat: chat completion, else text completion.
    """

    is_chat: bool
    _offset: int = field(default=0, init=False)
    _is_inside: bool = field(default=False, init=False)

    def write(self, tokens: Sequence[Token]) -> dict[str, Any]:
        """Return the log-probabilities of the next tokens."""
        if self.is_chat:
            return {"content": [_chat_token(token) for token in tokens], "refusal": None}
        return {
            "tokens": [token["token"] for token in tokens],
            "token_logprobs": [token["logprob"] for token in tokens],
            "top_logprobs": [_likeliest(token) for token in tokens],
            "text_offset": [self._place(token["token"]) for token in tokens],
        }

    def _place(self, text: str) -> int:
        """Return where a token begins; tokens that together make one character count as that one."""
        is_part = text == BROKEN
        start = self._offset - 1 if is_part and self._is_inside else self._offset
        self._offset, self._is_inside = start + len(text), is_part
        return start


def _likeliest(token: Token) -> dict[str, float] | None:
    """Return the likeliest tokens and the chosen one; nothing for the first token of a prompt."""
    if token["logprob"] is None:
        return None
    named: dict[str, float] = {}
    for text, logprob in [*token.get("top", ()), (token["token"], token["logprob"])]:
        named[text] = max(logprob, named.get(text, logprob))  # parts of characters may look the same
    return named


def _chat_token(token: Token) -> dict[str, Any]:
    top = [_described(text, logprob) for text, logprob in token.get("top", ())]
    return {**_described(token["token"], token["logprob"]), "top_logprobs": top}


def _described(text: str, logprob: float | None) -> dict[str, Any]:
    """Name a token; the bytes of a part of a character are not known here, so none are told."""
    return {"token": text, "logprob": logprob, "bytes": None if BROKEN in text else list(text.encode())}
