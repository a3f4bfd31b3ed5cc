"""Whether a file is taken, and what a row says of it: the same wherever a file can be sent."""

from __future__ import annotations

import hashlib
from typing import Any

from django.conf import settings

from release_portal.access.attachments import rules
from release_portal.access.attachments.rules import Upload
from release_portal.core.errors import InvalidInput, TooLarge


def check_upload(upload: Upload) -> None:
    """Refuse a file that is too large, of no kind that is taken, or whose name, type and content do not agree."""
    problem = rules.problem_with(upload, settings.ATTACHMENT_MAX_BYTES)
    if len(upload.data) > settings.ATTACHMENT_MAX_BYTES:
        raise TooLarge(problem, field="file", change="Make it smaller, or split it.")
    if problem:
        raise InvalidInput(problem, field="file", code="file_not_taken", rule="attachments: kinds")


def columns_of(upload: Upload, stored_as: str) -> dict[str, Any]:
    """Return what a row keeps of a file that was taken."""
    return {
        "name": rules.clean_name(upload.name),
        "kind": rules.kind_of(upload).slug,
        "size": len(upload.data),
        "sha256": hashlib.sha256(upload.data).hexdigest(),
        "stored_as": stored_as,
    }
