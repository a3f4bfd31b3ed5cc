"""How this room tells people something although notices are made above it: they register how."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from release_portal.accounts.models import User

Teller = Callable[[User, str, Mapping[str, str], datetime, str, str], object]
_TELLERS: list[Teller] = []


def register_teller(teller: Teller) -> None:
    """Declare who writes the notices: recipient, kind, context, time, path, dedupe key."""
    _TELLERS[:] = [teller]


def tell(
    user: User, kind: str, context: Mapping[str, str], *, at: datetime, path: str = "", dedupe_key: str = ""
) -> None:
    """Tell somebody, in the caller's transaction."""
    for teller in _TELLERS:
        teller(user, kind, context, at, path, dedupe_key)
