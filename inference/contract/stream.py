"""What a worker writes into the stream of a request, piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class StreamKind(StrEnum):
    """Field `kind` of an entry in a request's stream."""

    STARTED = "started"  # fields: step, worker
    TOKENS = "tokens"  # fields: step, body = pieces_to_json
    RESULT = "result"  # fields: body = JSON object (ScoreResult, EmbedResult or ClassifyResult)
    END = "end"  # fields: reason, error, usage = JSON of Usage; exactly one, the last


@dataclass(frozen=True)
class TokenLogprob:
    """What the model thought of one token when it was chosen, or read as a part of an echoed prompt.

    Log-probabilities are natural, of the model's own distribution: before penalties, bias, temperature and cuts.
    """

    token: str  # its text alone; of a broken character the replacement sign
    logprob: float | None  # None for the first token of a prompt: nothing stands before it
    top: tuple[tuple[str, float], ...] = ()  # the likeliest tokens, best first, as many as were asked for


@dataclass(frozen=True)
class Piece:
    """What one step added to one sample of a request."""

    sample: int
    text: str  # may be empty while a character or a possible stop string is incomplete
    tokens: int  # completion tokens of this sample so far, this step included
    finish: str | None = None  # FinishReason of the sample, when it ended with this step
    logprobs: tuple[TokenLogprob, ...] = ()  # of the tokens of this step, where the order asks for them


def pieces_to_json(pieces: Iterable[Piece]) -> str:
    """Body of a TOKENS entry; says nothing of log-probabilities where nobody asked, so that streams stay small."""
    fields = [asdict(piece) for piece in pieces]
    return json.dumps([{name: value for name, value in each.items() if name != "logprobs" or value} for each in fields])


def pieces_from_json(text: str | bytes) -> list[Piece]:
    """Read the body of a TOKENS entry back."""
    return [Piece(**{**each, "logprobs": _logprobs(each.get("logprobs", ()))}) for each in json.loads(text)]


def _logprobs(data: Iterable[Mapping[str, Any]]) -> tuple[TokenLogprob, ...]:
    pairs = ((each, tuple((name, value) for name, value in each["top"])) for each in data)
    return tuple(TokenLogprob(each["token"], each["logprob"], top) for each, top in pairs)


@dataclass(frozen=True)
class Usage:
    """Tokens read and written for a request; what is charged equals what was written to its stream."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
