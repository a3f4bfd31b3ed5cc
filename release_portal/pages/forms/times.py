"""A moment in a form: what the browser's own field sends, always in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from release_portal.core.errors import InvalidInput

WRITTEN = "%Y-%m-%dT%H:%M"
TO_THE_SECOND = "%Y-%m-%dT%H:%M:%S"


def moment_field(label: Any, help_text: Any = "", *, has_seconds: bool = False) -> forms.CharField:
    """Return a field for a date with a time."""
    attrs = {"type": "datetime-local", **({"step": "1"} if has_seconds else {})}
    return forms.CharField(label=label, help_text=help_text, widget=forms.DateTimeInput(attrs=attrs))


def written(at: datetime) -> str:
    """Return a moment as the field shows it, to the minute."""
    return at.astimezone(UTC).strftime(WRITTEN)


def not_before(at: datetime) -> str:
    """Return a moment to the second, never before itself."""
    return (at.astimezone(UTC) + timedelta(seconds=1, microseconds=-1)).strftime(TO_THE_SECOND)


def moment_of(text: str, field: str) -> datetime:
    """Return the moment that was typed, read as UTC.

    Raises:
        InvalidInput: at the field, when it is none.
    """
    typed = text.strip()
    try:
        read = datetime.fromisoformat(typed)
        return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        reason = f"{typed[:40]!r} is no time." if typed else _("There is no time.")
        raise InvalidInput(reason, field=field, change="Write it like 2026-11-30T14:00, in UTC.") from error
