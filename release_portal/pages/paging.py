"""Lists in pages; a page number that makes no sense is the nearest one that does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.paginator import Page, Paginator
from django.db.models import QuerySet
from django.http import HttpRequest

ROWS = 25


def page_of(request: HttpRequest, items: QuerySet[Any] | Sequence[Any], rows: int = ROWS) -> Page[Any]:
    """Return the page that the request asks for."""
    return Paginator(items, rows).get_page(request.GET.get("page"))


def filter_text(request: HttpRequest, name: str) -> str:
    """Return a filter from the address, short enough for any database; NUL has no place in text."""
    return request.GET.get(name, "").replace("\x00", "").strip()[:100]
