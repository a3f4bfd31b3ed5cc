"""Where the loop publishes: entries of live requests, and ends."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from inference.contract import FinishReason, Piece, StreamKind, Usage
from inference.engine.request import Request


class OutletLostError(Exception):
    """Nothing can be published now, and nobody can say whether it still may be."""


@dataclass(frozen=True)
class Entry:
    """What a live request has to publish in a step; without a kind it is only checked."""

    request: Request
    kind: StreamKind | None = None
    body: str = ""
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class End:
    """How a request ended."""

    job_id: str
    reason: FinishReason
    error: str = ""
    usage: Usage = Usage()


@dataclass(frozen=True)
class Verdict:
    """What the outlet answered to an entry."""

    stop: FinishReason | None = None  # None: the entry is published, the request goes on
    error: str = ""


class Outlet(Protocol):
    """Where entries and ends go; the only thing that knows whether a request still may."""

    def publish(self, step: int, entries: list[Entry]) -> list[Verdict]:
        """Check every entry's request and publish the entry in one go each; raises OutletLostError."""
        ...

    def finish(self, ends: Iterable[End]) -> None:
        """Write ends, each once whoever else tries; keeps what cannot be written now, never raises."""
        ...
