"""Tables for spreadsheets: comma-separated, and never a formula that somebody else typed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from typing import Any

from django.http import HttpResponse

# A cell that begins with one of these is run as a formula by spreadsheets; some read the wide forms alike.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def sheet(name: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> HttpResponse:
    """Return a file of rows to download; text that would run as a formula begins with an apostrophe."""
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(response)
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return response


def cell(value: Any) -> Any:
    """Return a value as a cell holds it: figures as they are, text never as a formula."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value
