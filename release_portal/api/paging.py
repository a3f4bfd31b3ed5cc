"""Lists in pages; beyond the last page there is nothing, which is no error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import inline_serializer
from rest_framework import serializers
from rest_framework.response import Response

from release_portal.api.fields import Input

MOST_ROWS, ROWS, LAST_PAGE = 100, 25, 1_000_000


class PageQuery(Input):
    """Which part of a list is wanted."""

    page = serializers.IntegerField(min_value=1, max_value=LAST_PAGE, default=1, help_text="Which page.")
    per_page = serializers.IntegerField(min_value=1, max_value=MOST_ROWS, default=ROWS, help_text="Rows on a page.")


def page_of(
    items: QuerySet[Any] | Sequence[Any],
    row: type[serializers.BaseSerializer[Any]],
    asked: dict[str, Any],
    *,
    load: Callable[[list[Any]], list[Any]] = list,
    **context: Any,
) -> Response:
    """Return one page of a list, each item as `row` writes it.

    Args:
        items: the whole list.
        row: how an item is written.
        asked: which page.
        load: turns the items of the page into what is written, all of them at once.
        context: what `row` needs beside the item.
    """
    page, per_page = asked["page"], asked["per_page"]
    count = items.count() if isinstance(items, QuerySet) else len(items)
    start = (page - 1) * per_page
    rows = row(load(list(items[start : start + per_page])), many=True, context=context).data
    pages = -(-count // per_page)
    return Response({"count": count, "page": page, "per_page": per_page, "pages": pages, "results": rows})


def page_schema(name: str, row: type[serializers.BaseSerializer[Any]]) -> Any:
    """Return how a page of such rows looks, for the schema."""
    return inline_serializer(
        f"{name}Page",
        {
            "count": serializers.IntegerField(help_text="Rows on all pages."),
            "page": serializers.IntegerField(),
            "per_page": serializers.IntegerField(),
            "pages": serializers.IntegerField(),
            "results": row(many=True),
        },
    )
