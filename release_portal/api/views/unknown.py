"""Addresses under /api/ that are none."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from release_portal.api.base import AlwaysJson
from release_portal.api.errors import handle_error
from release_portal.core.errors import NotFound


@extend_schema(exclude=True)
class Unknown(APIView):
    """Nothing is here, whichever method is used."""

    authentication_classes: list[Any] = []
    content_negotiation_class = AlwaysJson

    def get_exception_handler(self) -> Any:
        """Return what turns exceptions into answers."""
        return handle_error

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Say so."""
        change = "Addresses end with a slash; the reference is at /api/docs/."
        raise NotFound("There is nothing at this address.", rule="address", change=change)

    def get(self, request: Request) -> Response:
        """Never reached."""
        raise NotImplementedError
