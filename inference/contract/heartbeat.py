"""What a worker says of itself."""

from __future__ import annotations

import json
from dataclasses import dataclass, fields


@dataclass(frozen=True)
class WorkerState:
    """What a worker says of itself in its heartbeat."""

    worker_id: str
    device: str
    running: int
    waiting: int
    loaded: tuple[str, ...]  # weights digests in memory
    step: int
    at: float  # unix seconds
    max_running: int = 0  # sequences, in all sizes in memory
    max_waiting: int = 0  # sequences, in all sizes in memory; what comes beyond ends OVERLOADED
    max_waiting_of_share: int = 0  # sequences of one share, in one size
    cache_used: int = 0  # tokens of cache that are reserved
    cache_total: int = 0
    tokens: int = 0  # completion tokens published since the worker began
    prompt_tokens: int = 0  # of requests that published something since the worker began
    first_token_median: float | None = None  # seconds from arrival in the worker, over the last minute; None: none came
    first_token_p95: float | None = None
    precision: str = "float32"  # of weights and cache; seeds are a promise in float32 alone
    sizes: tuple[str, ...] = ()  # weights digests that it serves; empty: all
    slots: int = 0  # sequences of one size that run at once
    takes: int = 0  # requests that it holds at most, running and waiting; 0: not told
    ended_per_second: float = 0.0  # samples that ended, over the last minute

    @classmethod
    def from_json(cls, text: str | bytes) -> WorkerState:
        """Read a heartbeat, of another version too: what this one does not know is left out."""
        known = {each.name for each in fields(cls)}
        data = {name: value for name, value in json.loads(text).items() if name in known}
        lists = {name: tuple(data[name]) for name in ("loaded", "sizes") if name in data}
        return cls(**{**data, **lists})
