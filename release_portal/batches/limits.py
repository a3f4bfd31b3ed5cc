"""How large a file may be, and how many of its lines run at once, as the settings say."""

from __future__ import annotations

from django.conf import settings


def most_bytes() -> int:
    """Return how many bytes a file may have."""
    return int(settings.BATCH_MAX_BYTES)


def most_lines() -> int:
    """Return how many requests a file may hold."""
    return int(settings.BATCH_MAX_LINES)


def most_in_flight() -> int:
    """Return how many lines of one batch may run at once."""
    return int(settings.BATCH_IN_FLIGHT)
