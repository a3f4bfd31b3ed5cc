"""What higher rooms do when a job is settled: registered by function, run in the settlement's transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from release_portal.jobs.models import Job

Handler = Callable[[Job, list[dict[str, Any]], datetime], None]
_HANDLERS: dict[str, list[Handler]] = {}


def on_settled(function: str, handler: Handler) -> None:
    """Register a handler for the end of jobs of one function; called in the `ready` of the higher room."""
    known = _HANDLERS.setdefault(function, [])
    if handler not in known:
        known.append(handler)


def registered() -> dict[str, tuple[Handler, ...]]:
    """Return every handler by function, for the test that lists them."""
    return {function: tuple(handlers) for function, handlers in _HANDLERS.items()}


def run_settled(job: Job, samples: list[dict[str, Any]], *, at: datetime) -> None:
    """Run the handlers of the job's function."""
    for handler in _HANDLERS.get(job.function, []):
        handler(job, samples, at)
