"""The document says what the addresses do, and the page that shows it needs nobody else."""

from __future__ import annotations

import io
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.urls import get_resolver

from release_portal.api.urls import urlpatterns
from release_portal.core.declare import PUBLIC, TOKEN
from tests.api.test_error_shape import ADDRESSES


@pytest.fixture
def document(client: Any, db: None) -> dict[str, Any]:
    """The document as clients read it."""
    found: dict[str, Any] = client.get("/api/schema/").json()
    return found


def test_the_document_is_valid_and_made_without_a_warning() -> None:
    call_command("spectacular", validate=True, fail_on_warn=True, stdout=io.StringIO())


def test_every_address_and_method_is_documented(document: dict[str, Any]) -> None:
    written = {(len(path.strip("/").split("/")), method) for path, item in document["paths"].items() for method in item}
    assert len(document["paths"]) == len(ADDRESSES)
    for path, view in ADDRESSES:
        for method in ("get", "post", "patch"):
            if hasattr(view, method):
                assert (len(path.strip("/").split("/")), method) in written
    assert sum(len(item) for item in document["paths"].values()) == sum(
        hasattr(view, method) for _, view in ADDRESSES for method in ("get", "post", "patch")
    )


def test_every_error_has_the_one_shape(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for operation in item.values():
            errors = {code: answer for code, answer in operation["responses"].items() if code >= "400"}
            assert {"400", "401", "403", "405", "413"} <= set(errors)
            for answer in errors.values():
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}


def test_every_post_takes_a_key(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        if "post" in item:
            assert "Idempotency-Key" in {one["name"] for one in item["post"]["parameters"]}


def test_inputs_take_no_other_fields(document: dict[str, Any]) -> None:
    inputs = {name: one for name, one in document["components"]["schemas"].items() if name.endswith("Input")}
    assert len(inputs) >= 8
    assert all(one["additionalProperties"] is False for one in inputs.values())


def test_every_view_says_to_whom_it_is_open() -> None:
    assert get_resolver()
    assert {pattern.callback.opens_to for pattern in urlpatterns} == {PUBLIC, TOKEN}  # type: ignore[union-attr]


def test_the_reference_page_loads_from_the_portal_only(client: Any, db: None) -> None:
    response = client.get("/api/docs/")
    page, policy = response.content.decode(), response["Content-Security-Policy"]
    assert response.status_code == 200
    assert "http://" not in page
    assert "https://" not in page
    assert "script-src 'self';" in policy + ";"
    assert "unsafe-inline" not in policy
    assert "<style" not in page
    assert "style=" not in page


def test_what_the_reference_page_loads_is_served_here(client: Any, db: None) -> None:
    page = client.get("/api/docs/").content.decode()
    files = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(files) == 4
    assert all(finders.find(file.removeprefix("/static/")) for file in files)
