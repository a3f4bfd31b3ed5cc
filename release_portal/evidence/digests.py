"""The digest of evidence and checklists: SHA-256 over canonical JSON of plain values (pure)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any


def content_digest(content: Mapping[str, Any]) -> str:
    """Return the digest of the content; the same content gives the same digest on every database."""
    text = json.dumps(_plain(content), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def number_text(number: Decimal | None) -> str:
    """Return a finite number as the shortest plain decimal text, e.g. `0.71`; empty for none."""
    if number is None:
        return ""
    if number.is_zero():
        return "0"
    text = f"{number:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Decimal):
        return number_text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, float) or not isinstance(value, str | int | bool | type(None)):
        raise TypeError(f"{type(value).__name__} has no exact text; write it as a number or as text")
    return value
