"""An error as JSON interfaces write it: one object, always with the same keys (pure)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from release_portal.core.errors import Incomplete, PortalError

TYPES = {
    401: "authentication_error",
    403: "permission_error",
    429: "rate_limit_error",
    500: "server_error",
    503: "server_error",
}
OTHER_TYPE = "invalid_request_error"
# A part of the portal that does not answer is looked for again after this time.
UNAVAILABLE_SECONDS = 60


def error_body(error: PortalError, request_id: str) -> dict[str, Any]:
    """Return the body for an error.

    Args:
        request_id: under which the log knows the request.
    """
    pairs = error.problems if isinstance(error, Incomplete) else ()
    return {
        "error": {
            "message": error.reason,
            "type": TYPES.get(error.status, OTHER_TYPE),
            "param": error.field or None,
            "code": error.code,
            "rule": error.rule or None,
            "change": error.change or None,
            "request_id": request_id,
            "retry_at": error.retry_at.isoformat() if error.retry_at else None,
            "problems": [{"param": param, "message": message} for param, message in pairs],
        }
    }


def retry_after(error: PortalError, at: datetime) -> int | None:
    """Return after how many seconds it is worth trying again; None where that is not known."""
    if error.retry_at is not None:
        return max(1, int((error.retry_at - at).total_seconds()) + 1)
    return UNAVAILABLE_SECONDS if error.status == 503 else None
