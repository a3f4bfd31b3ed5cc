"""What an engine has done so far, for those who look: counted by its thread, read by the heartbeat's."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from inference.contract import Usage

WINDOW = 60.0  # seconds for which a time to first token counts
MOST_TIMES = 4096  # a minute with more of them is described by the last


@dataclass(frozen=True)
class Capacity:
    """How much the sizes in memory take together, and how much of it is taken."""

    max_running: int = 0
    max_waiting: int = 0
    max_waiting_of_share: int = 0  # of one share in one size
    cache_used: int = 0
    cache_total: int = 0


class Figures:
    """Counts tokens that were published, and the times to the first of each request.

    Args:
        clock: seconds that never go back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.tokens = 0
        self.prompt_tokens = 0
        self._times: deque[tuple[float, float]] = deque(maxlen=MOST_TIMES)  # when, seconds
        self._ends: deque[tuple[float, int]] = deque(maxlen=MOST_TIMES)  # when, samples
        self._reading = threading.Lock()

    def count(self, before: Usage, after: Usage, arrived_at: float) -> None:
        """Count what was published for a request since `before`; the first of it ends its wait."""
        self.tokens += after.completion_tokens - before.completion_tokens
        self.prompt_tokens += after.prompt_tokens - before.prompt_tokens
        if after.completion_tokens and not before.completion_tokens:
            now = self.clock()
            with self._reading:
                self._times.append((now, now - arrived_at))

    def count_end(self, samples: int) -> None:
        """Count the samples of a request that has ended, whatever the reason."""
        with self._reading:
            self._ends.append((self.clock(), samples))

    def ended_per_second(self) -> float:
        """Samples that ended in the last minute, by the second; after a busy minute by the time the last ones took."""
        now = self.clock()
        with self._reading:
            ends = [(at, samples) for at, samples in self._ends if at > now - WINDOW]
        is_cut = len(ends) == MOST_TIMES
        return sum(samples for _, samples in ends) / max(now - ends[0][0] if is_cut else WINDOW, 1.0) if ends else 0.0

    def first_token(self) -> tuple[float, float] | None:
        """Median and 95th percentile of the seconds to the first token in the last minute; None without any."""
        since = self.clock() - WINDOW
        with self._reading:
            times = [seconds for at, seconds in self._times if at > since]
        if not times:
            return None
        # Twice the list: one value has no quantiles, two equal ones have.
        return statistics.median(times), statistics.quantiles(times * 2, n=20, method="inclusive")[-1]
