"""Whatever goes wrong under /api/, the answer is one shape."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import URLPattern

from release_portal.api import urls
from release_portal.api.base import ApiView, TokenView
from release_portal.core.body_sizes import limit_of, takes_file

KEYS = {"message", "type", "param", "code", "rule", "change", "request_id", "retry_at", "problems"}
FILL = {"lab": "huggingfacetb", "name": "smollm2-135m-instruct"}
SERVED = "huggingfacetb/smollm2-135m-instruct"


def addresses() -> list[tuple[str, Any]]:
    """Every address with its view; parts of an address are filled in."""
    found = []
    for pattern in urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = getattr(pattern.callback, "view_class", None)
        if view is not None and issubclass(view, ApiView):
            route = str(pattern.pattern)
            for name in pattern.pattern.converters:
                route = route.replace(f"<name:{name}>", FILL.get(name, "unknown")).replace(f"<int:{name}>", "1000000")
            found.append((f"/api/{route}", view))
    return found


ADDRESSES = addresses()
READ = [path for path, view in ADDRESSES if hasattr(view, "get")]
CHANGES = [(method.upper(), path) for path, view in ADDRESSES for method in ("post", "patch") if hasattr(view, method)]
WRITTEN = [change for change in CHANGES if not change[1].endswith(("/cancel/", "/remove/"))]  # which read no body
JSON = [change for change in WRITTEN if not takes_file(change[1])]


def error_of(response: Any, status: int) -> dict[str, Any]:
    """The error of an answer, its shape checked."""
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/json"
    assert set(response.json()) == {"error"}
    error: dict[str, Any] = response.json()["error"]
    assert set(error) == KEYS
    assert error["message"]
    assert error["code"]
    assert error["request_id"] == response["X-Request-Id"]
    return error


@pytest.fixture
def cleo(api: Any) -> Any:
    return api("cleo")


def test_every_address_is_walked() -> None:
    assert len(READ) >= 15
    assert len(WRITTEN) >= 10


@pytest.mark.parametrize("method", ["DELETE", "PUT", "OPTIONS", "TRACE", "QUERY"])
def test_a_method_that_is_not_taken_is_405_with_what_is(cleo: Any, method: str) -> None:
    for path, _ in ADDRESSES:
        response = cleo(method, path)
        assert error_of(response, 405)["code"] == "method_not_allowed"
        assert method not in response["Allow"]


@pytest.mark.parametrize("header", ["Bearer rp_wrong", "Bearer", "Basic cmFuZG9tOnN0dWZm", "", "Bearer \xe9"])
def test_a_wrong_token_is_401_even_where_none_is_needed(api: Any, header: str) -> None:
    for method, path in [("GET", path) for path in READ] + WRITTEN:
        response = api()(method, path, HTTP_AUTHORIZATION=header)
        error_of(response, 401)
        assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b" ", "invalid_json"),
        (b"{", "invalid_json"),
        (b"[]", "invalid_json"),
        (b"null", "invalid_json"),
        (b'{"a": NaN}', "invalid_json"),
        (b"[" * 100_000, "invalid_json"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "invalid_json"),
        (b"\xff\xfe", "invalid_utf8"),
        (b'{"\\ud800": 1}', "invalid_text"),
        (b'{"a": ["\\udfff"]}', "invalid_text"),
        (b'{"no_such_field": 1}', "invalid_input"),
    ],
)
def test_a_body_that_cannot_be_read_is_400(cleo: Any, body: bytes, code: str) -> None:
    for method, path in JSON:
        assert error_of(cleo(method, path, body), 400)["code"] == code


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "", "application/json; charset=x"])
def test_another_media_type_is_415(cleo: Any, kind: str) -> None:
    for method, path in WRITTEN:
        error_of(cleo(method, path, b"{}", content_type=kind), 415)


def test_a_body_that_is_too_large_is_413(cleo: Any) -> None:
    for method, path in WRITTEN:
        error_of(cleo(method, path, b" " * (limit_of(path) + 1)), 413)


@pytest.mark.parametrize("query", ["no_such=1", "%00=1", "&".join(f"a{n}=1" for n in range(1_100))])
def test_an_unknown_parameter_is_400(cleo: Any, query: str) -> None:
    for path in READ:
        error_of(cleo("GET", f"{path}?{query}"), 400)


@pytest.mark.parametrize(
    "path", ["jobs", "nothing/", "sizes/a/b/c/", "jobs/%00/", "grants/%F0%9F/", "sizes/a%0Ab/c/", ""]
)
def test_an_unknown_address_is_404_whichever_method_is_used(cleo: Any, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert error_of(cleo(method, f"/api/{path}"), 404)["code"] == "not_found"


@pytest.mark.parametrize("page", ["0", "-1", "1.5", "x", "9" * 30, "%00", "", "%EF%BF%BD"])
def test_a_page_that_is_no_page_is_400_at_its_field(cleo: Any, page: str) -> None:
    assert error_of(cleo.get(f"/api/sizes/?page={page}"), 400)["param"] == "page"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prompt", "a\x00b"),
        ("prompt", 5),
        ("prompt", None),
        ("max_tokens", "8"),
        ("max_tokens", True),
        ("max_tokens", 2**70),
        ("temperature", 10**400),
        ("temperature", -1),
        ("seed", 2**63),
        ("stop", "end"),
        ("stop", [""]),
        ("stop", [["end"]]),
        ("size", "no slash"),
        ("size", ["a/b"]),
    ],
)
def test_a_wrong_field_is_named(cleo: Any, field: str, value: Any) -> None:
    body = {"size": SERVED, "prompt": "Unicorns", field: value}
    error = error_of(cleo.post("/api/jobs/", body), 400)
    assert error["param"].startswith(field)
    assert [problem["param"] for problem in error["problems"]] == [error["param"]]


def test_infinity_written_as_a_large_number_is_400(cleo: Any) -> None:
    body = f'{{"size": "{SERVED}", "prompt": "a", "temperature": 1e999}}'.encode()
    assert error_of(cleo.post("/api/jobs/", body), 400)["param"] == "temperature"


def test_every_wrong_field_is_told_at_once(cleo: Any) -> None:
    error = error_of(cleo.post("/api/jobs/", {"size": 1, "max_tokens": 0}), 400)
    assert {problem["param"] for problem in error["problems"]} == {"size", "prompt", "max_tokens"}


def test_without_a_token_there_is_nothing_of_ones_own(api: Any) -> None:
    own = [path for path, view in ADDRESSES if issubclass(view, TokenView)]
    assert len(own) >= 10
    for path in own:
        assert error_of(api().get(path), 401)["code"] == "token_missing"


def test_a_session_is_no_token(client_of: Any) -> None:
    assert client_of("cleo").get("/api/me/").status_code == 401


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("jobs:read", "/api/sizes/"),
        ("jobs:read", "/api/stages/"),
        ("catalogue:read", "/api/grants/"),
        ("catalogue:read", "/api/jobs/"),
        ("generate", "/api/detections/"),
        ("generate", "/api/applications/"),
    ],
)
def test_a_token_without_the_scope_is_refused_with_the_code_scope(api: Any, scope: str, path: str) -> None:
    error = error_of(api("cleo", scope).get(path), 403)
    assert error["code"] == "scope"
    assert error["type"] == "permission_error"
    assert error["change"]


def test_a_fault_of_ours_has_the_shape_as_well(cleo: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: Any, **_more: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("release_portal.api.views.account.grants_for", fail)
    error = error_of(cleo.get("/api/grants/"), 500)
    assert error["type"] == "server_error"
    assert "a fault" not in error["message"]
