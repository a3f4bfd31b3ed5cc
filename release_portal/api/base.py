"""What every view under /api/ does alike: JSON in and out, who asks and when, idempotency, one error shape."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.db import transaction
from rest_framework.exceptions import ValidationError
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from release_portal.api import idempotency
from release_portal.api.auth import BearerToken, TokenNeeded, needs_scope
from release_portal.api.bodies import read_object
from release_portal.api.errors import handle_error
from release_portal.api.fields import Input
from release_portal.api.models import IdempotencyRecord
from release_portal.core.actors import Actor
from release_portal.core.clock import now


class AlwaysJson(BaseContentNegotiation):
    """There is one format; a client that asks for another gets this one and can read its type."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Bodies are read by `bodies.read_object`."""
        return None

    def select_renderer(self, request: Request, renderers: Any, format_suffix: Any = None) -> Any:
        """Return the first renderer."""
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """An address that anyone may ask; a token that is sent must be valid and within `scopes`.

    Attributes:
        scopes: a token must carry one of them; empty where any token will do.
        query: the parameters that the address takes.
        is_one_transaction: whether a POST with a key is written together with its answer; not where the service
            waits for Redis, and knows the key itself.
    """

    authentication_classes = [BearerToken]
    permission_classes = [AllowAny]
    content_negotiation_class = AlwaysJson
    http_method_names = ["get", "head", "post", "patch"]
    scopes: tuple[str, ...] = ()
    query: type[Input] = Input
    is_one_transaction = True

    at: datetime
    asked_for: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Find out who asks, and refuse what does not depend on the view."""
        self.at = now()
        super().initial(request, *args, **kwargs)
        needs_scope(self.actor, *self.scopes) if self.scopes else None
        self.asked_for = self.checked(self.query, request.query_params.dict())

    @property
    def actor(self) -> Actor:
        """Who asks."""
        actor: Actor = self.request.user  # type: ignore[assignment]
        return actor

    def get_exception_handler(self) -> Any:
        """Return what turns exceptions into answers."""
        return handle_error

    def checked(self, form: type[Input], values: Any) -> dict[str, Any]:
        """Return values as an input reads them; raise ValidationError naming each field that is wrong."""
        serializer = form(data=values)
        serializer.is_valid(raise_exception=True)
        read: dict[str, Any] = serializer.validated_data
        return read

    def sent(self, form: type[Input]) -> dict[str, Any]:
        """Return the body as an input reads it."""
        return self.checked(form, read_object(self.request._request))

    def once(self, act: Callable[[str | None], Response], *, digest: str = "") -> Response:
        """Do what a POST asks for; with a key, once only.

        Args:
            act: does it; receives an id that stays the same when a request is taken up again.
            digest: what tells this request from another where the body is no JSON.
        """
        key = idempotency.read_key(self.request)
        if key is None:
            return act(None)
        record = idempotency.claim(idempotency.asked_of(self.request, key, digest), at=self.at)
        if record.status is not None:
            return idempotency.replay(record)
        try:
            return self._answer(record, act)
        except BaseException:
            idempotency.release(record)
            raise

    def _answer(self, record: IdempotencyRecord, act: Callable[[str | None], Response]) -> Response:
        try:
            with transaction.atomic() if self.is_one_transaction else nullcontext():
                response = act(record.pk)
                idempotency.keep(record, response)
        except Exception as raised:  # noqa: BLE001 - what is no answer is raised again by handle_exception
            response = self.handle_exception(raised)
            if idempotency.is_kept(response.status_code):
                idempotency.keep(record, response)
            else:
                idempotency.release(record)
        return response

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Answers depend on who asks, so nothing between may keep them."""
        response["Cache-Control"] = "no-store"
        return super().finalize_response(request, response, *args, **kwargs)


class TokenView(ApiView):
    """An address that has nothing to say without a token."""

    permission_classes = [TokenNeeded]


def invalid(field: str, sentence: str) -> ValidationError:
    """Return the error for a field that no serializer knows to be wrong."""
    return ValidationError({field: [sentence]})
