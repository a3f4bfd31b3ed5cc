"""Say in the schema what an address takes and answers, every status that can occur included."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema

from release_portal.api.idempotency import HEADER, PATTERN, REPLAY_HEADER
from release_portal.api.serializers.errors import ErrorAnswer

# Whatever is asked: wrong parameter, wrong token, wrong scope, wrong method, too much sent.
ALWAYS = (400, 401, 403, 405, 413)
WAITS = (429, 503)

KEY = OpenApiParameter(
    HEADER,
    {"type": "string", "minLength": 1, "maxLength": 80, "pattern": PATTERN},
    OpenApiParameter.HEADER,
    description="A fresh value, a UUID say, for each new request. The same key again is answered alike for 24 hours.",
)


def replayed(status: int) -> OpenApiParameter:
    """Return the header that marks a stored answer, for the statuses that are stored."""
    return OpenApiParameter(
        REPLAY_HEADER,
        {"type": "string", "enum": ["true"]},
        OpenApiParameter.HEADER,
        description="The answer is the stored one to an earlier request with this key.",
        response=[status, 400, 403, 404, 409],
    )


def documented(
    operation: str,
    answer: Any,
    *,
    tag: str,
    query: Any = None,
    body: Any = None,
    is_keyed: bool = False,
    status: int = 200,
    errors: tuple[int, ...] = (),
    example: Any = None,
    body_example: Any = None,
    media_types: tuple[str, ...] = (),
) -> Callable[[Any], Any]:
    """Describe a method of a view.

    Args:
        operation: id, as generated clients call it.
        answer: serializer of what comes back.
        query: input of the parameters.
        body: input of the body.
        is_keyed: whether it is a POST, which may carry a key.
        status: of the answer.
        errors: what can go wrong beyond what always can.
        example: an answer, as clients see it.
        body_example: a body that is taken.
        media_types: of an answer that is a file, not JSON.
    """
    codes = {*ALWAYS, *errors, *((415,) if body else ()), *((409,) if is_keyed else ())}
    responses: dict[Any, Any] = {(status, one): answer for one in media_types} or {status: answer}
    responses |= {code: OpenApiResponse(ErrorAnswer, HTTPStatus(code).phrase) for code in sorted(codes)}
    keyed = [KEY, replayed(status)] if is_keyed else []
    parameters = [*([query] if query else []), *keyed]
    return extend_schema(
        operation_id=operation,
        tags=[tag],
        parameters=parameters,
        request=body,
        responses=responses,
        examples=_examples(status, example, body_example),
    )


def _examples(status: int, answer: Any, body: Any) -> list[OpenApiExample]:
    found = []
    if answer is not None:
        found.append(OpenApiExample("answer", value=answer, response_only=True, status_codes=[str(status)]))
    if body is not None:
        found.append(OpenApiExample("request", value=body, request_only=True))
    return found
