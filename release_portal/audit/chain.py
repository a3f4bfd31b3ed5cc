"""How one event is bound to the one before it (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

GENESIS = "0" * 64
FIELDS = ("seq", "at", "kind", "actor_kind", "actor_id", "actor_name", "subject", "reason", "data", "prev_hash")
# Built once: a verification needs it a million times.
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
_TEXT = json.encoder.encode_basestring_ascii


def link_hash(fields: Mapping[str, Any]) -> str:
    """Return the SHA-256 over the canonical JSON of an event's fields, the previous hash among them."""
    return row_hash(*[fields[name] for name in FIELDS])


def row_hash(
    seq: int,
    at: datetime,
    kind: str,
    actor_kind: str,
    actor_id: str,
    actor_name: str,
    subject: str,
    reason: str,
    data: Any,
    prev_hash: str,
) -> str:
    """Return the hash of an event whose fields are given in the order of FIELDS.

    The text is what `json.dumps` writes with sorted names and without spaces. It is put together here because that
    takes half the time.
    """
    text = (
        f'{{"actor_id":{_TEXT(actor_id)},"actor_kind":{_TEXT(actor_kind)},"actor_name":{_TEXT(actor_name)},'
        f'"at":"{at.astimezone(UTC).isoformat(timespec="microseconds")}","data":{_CANONICAL.encode(data)},'
        f'"kind":{_TEXT(kind)},"prev_hash":{_TEXT(prev_hash)},"reason":{_TEXT(reason)},"seq":{seq:d},'
        f'"subject":{_TEXT(subject)}}}'
    )
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
