"""How much a request may bring, by its address: text everywhere, one file where a file can be sent."""

from __future__ import annotations

import re

from django.conf import settings

from release_portal.core.errors import TooLarge


def takes_file(path: str) -> bool:
    """Whether a file may be attached at this address."""
    return re.fullmatch(settings.UPLOAD_PATHS, path) is not None


def takes_batch(path: str) -> bool:
    """Whether a file of requests may be sent to this address."""
    return re.fullmatch(settings.BATCH_UPLOAD_PATHS, path) is not None


def limit_of(path: str) -> int:
    """Return how many bytes a request to this address may have."""
    if takes_batch(path):
        return int(settings.BATCH_UPLOAD_MAX_BYTES)
    return int(settings.UPLOAD_MAX_BYTES if takes_file(path) else settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def too_large(path: str) -> TooLarge:
    """Return the error for a request that announces more."""
    if takes_file(path) or takes_batch(path):
        largest = settings.BATCH_MAX_BYTES if takes_batch(path) else settings.ATTACHMENT_MAX_BYTES
        most = f"{largest / 1_000_000:g} MB"
        change = "Go back and choose a smaller file, or split it into several. Nothing else was lost."
        return TooLarge(f"The file is larger than {most}. It was not read.", field="file", change=change)
    return TooLarge(f"The request is larger than {limit_of(path):,} bytes.", change="Send less at a time.")
