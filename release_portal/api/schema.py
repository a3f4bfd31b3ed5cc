"""The OpenAPI document at /api/schema/ and the page at /api/docs/ that shows it, both without any other host."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.renderers import OpenApiJsonRenderer
from drf_spectacular.views import SpectacularAPIView

from release_portal.api.base import AlwaysJson
from release_portal.api.errors import handle_error
from release_portal.core.declare import public


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[misc,no-untyped-call,unused-ignore]
    """How the document names our tokens."""

    target_class = "release_portal.api.auth.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """Return the security scheme."""
        return {"type": "http", "scheme": "bearer", "description": "An API token, made on your account page."}


def close_inputs(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Say of every input that it takes no other fields; the portal refuses them by name."""
    for name, schema in result.get("components", {}).get("schemas", {}).items():
        if name.endswith("Input"):
            schema["additionalProperties"] = False
    return result


class SchemaView(SpectacularAPIView):  # type: ignore[misc,unused-ignore]
    """The document, as JSON."""

    renderer_classes = [OpenApiJsonRenderer]
    authentication_classes: list[Any] = []
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "head"]

    def get_exception_handler(self) -> Any:
        """Return what turns exceptions into answers."""
        return handle_error


@public
@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Show the reference."""
    return render(request, "api/docs.html")
