"""What higher rooms do when a grant is withdrawn: registered once, run in the withdrawing transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from release_portal.access.models import Grant

# grant, how it was withdrawn ("suspended", "revoked", "surrendered"), when
Handler = Callable[[Grant, str, datetime], None]
_HANDLERS: list[Handler] = []


def on_withdrawn(handler: Handler) -> None:
    """Register a handler for the withdrawal of a grant; called in the `ready` of the higher room."""
    if handler not in _HANDLERS:
        _HANDLERS.append(handler)


def run_withdrawn(grant: Grant, kind: str, *, at: datetime) -> None:
    """Run every handler; called once the grant's epoch is advanced and the act stands in the record."""
    for handler in _HANDLERS:
        handler(grant, kind, at)
