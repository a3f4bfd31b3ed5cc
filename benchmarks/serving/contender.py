"""Whoever takes part in a measurement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from benchmarks.serving.outcome import Outcome
from benchmarks.serving.workload import Ask


class Contender(Protocol):
    """Answers workloads, and does nothing in between."""

    def run(self, asks: Sequence[Ask]) -> Outcome:
        """One round."""
        ...
