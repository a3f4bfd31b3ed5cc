"""Read what a client asks of files and batches: every parameter is used, or refused by name (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from release_portal.core.errors import InvalidInput

MOST_PAIRS, LONGEST_KEY, LONGEST_VALUE = 16, 64, 512
MOST_FILES_LISTED, MOST_BATCHES_LISTED = 10_000, 100
USUAL_BATCHES = 20
WINDOW = "24h"


@dataclass(frozen=True)
class Paging:
    """Which part of a list is asked for.

    Args:
        after: id of the last object that the client has; empty for the beginning.
        limit: how many.
        is_ascending: oldest first.
        purpose: of files; empty for every purpose.
    """

    after: str
    limit: int
    is_ascending: bool = False
    purpose: str = ""


@dataclass(frozen=True)
class BatchCall:
    """A batch as a client asks for it."""

    file_id: str
    endpoint: str
    metadata: dict[str, str]


def read_batch(data: Mapping[str, Any]) -> BatchCall:
    """Read the body of POST /v1/batches."""
    _refuse_unknown(data, {"input_file_id", "endpoint", "completion_window", "metadata"})
    file_id = data.get("input_file_id")
    if not isinstance(file_id, str) or not file_id:
        raise _wrong("input_file_id", "input_file_id must be the id of a file with purpose batch.")
    endpoint = data.get("endpoint")
    if not isinstance(endpoint, str) or not endpoint:
        raise _wrong("endpoint", "endpoint must be the address of all requests of the file, as /v1/completions.")
    if data.get("completion_window") != WINDOW:
        raise _wrong("completion_window", f'completion_window must be "{WINDOW}".')
    return BatchCall(_plain(file_id), endpoint, _metadata(data.get("metadata")))


def read_files_query(query: Mapping[str, str]) -> Paging:
    """Read the query of GET /v1/files."""
    _refuse_unknown(query, {"after", "limit", "order", "purpose"})
    order = query.get("order", "desc")
    if order not in ("asc", "desc"):
        raise _wrong("order", "order must be asc or desc.")
    limit = _limit(query, MOST_FILES_LISTED, MOST_FILES_LISTED)
    return Paging(_plain(query.get("after", "")), limit, order == "asc", _plain(query.get("purpose", "")))


def read_batches_query(query: Mapping[str, str]) -> Paging:
    """Read the query of GET /v1/batches."""
    _refuse_unknown(query, {"after", "limit"})
    return Paging(_plain(query.get("after", "")), _limit(query, USUAL_BATCHES, MOST_BATCHES_LISTED))


def check_upload_fields(fields: Mapping[str, str]) -> None:
    """Hold the parts beside the file of POST /v1/files against what is taken."""
    _refuse_unknown(fields, {"purpose"})
    if fields.get("purpose") != "batch":
        raise _wrong("purpose", 'purpose must be "batch"; files are kept for nothing else.')


def _limit(query: Mapping[str, str], usual: int, most: int) -> int:
    written = query.get("limit", str(usual))
    if not (written.isascii() and written.isdecimal() and len(written) < 7 and 1 <= int(written) <= most):
        raise _wrong("limit", f"limit must be a whole number between 1 and {most:,}.")
    return int(written)


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > MOST_PAIRS:
        raise _wrong("metadata", f"metadata must be an object with at most {MOST_PAIRS} keys.")
    for key, text in value.items():
        if not isinstance(text, str) or len(key) > LONGEST_KEY or len(text) > LONGEST_VALUE:
            reason = (
                f"metadata holds texts: keys of at most {LONGEST_KEY}, values of at most {LONGEST_VALUE} characters."
            )
            raise _wrong("metadata", reason)
        if _plain(key + text) != key + text:
            raise _wrong("metadata", "metadata holds a character that is none (NUL, or half of one).")
    return dict(value)


def _plain(text: str) -> str:
    """Leave out what no database takes: NUL, and halves of characters."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode("utf-8")[:2_000]


def _refuse_unknown(data: Mapping[str, Any], known: set[str]) -> None:
    for name in data:
        if name not in known:
            code = "unsupported_parameter" if name.startswith(("output_expires", "expires")) else "unknown_parameter"
            raise _wrong(name[:60], f"{name[:60]} is not a parameter of this address.", code)


def _wrong(name: str, reason: str, code: str = "invalid_value") -> InvalidInput:
    return InvalidInput(reason, field=name, code=code)
