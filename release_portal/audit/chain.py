"""How one event is bound to the one before it (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
FIELDS = ("seq", "at", "kind", "actor_kind", "actor_id", "actor_name", "subject", "reason", "data", "prev_hash")


def link_hash(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 over the canonical JSON of an event's fields, the previous hash among them."""
    plain = {name: fields[name] for name in FIELDS}
    plain["at"] = plain["at"].astimezone(UTC).isoformat(timespec="microseconds")
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def refuse_inexact(value: Any, path: str = "data") -> None:
    """Raise TypeError for values that do not come back from a database exactly as they went in."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            refuse_inexact(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            refuse_inexact(item, f"{path}[{number}]")
    elif isinstance(value, float | datetime) or not isinstance(value, str | int | bool | type(None)):
        raise TypeError(f"{path} is {type(value).__name__}; write it as text")
