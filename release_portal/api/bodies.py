"""Read a request's body as one JSON object; what cannot be stored as text is refused here, before anything else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from email.message import Message
from typing import Any

from django.conf import settings
from django.http import HttpRequest

from release_portal.api.errors import WrongMediaType, too_large
from release_portal.core.errors import InvalidInput

MEDIA_TYPE = "application/json"


def body_of(request: HttpRequest) -> bytes:
    """Return the bytes of the body; raise TooLarge beyond the portal's limit."""
    body = request.body
    if len(body) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:  # a chunked body announces no length to the middleware
        raise too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    return body


def read_object(request: HttpRequest) -> dict[str, Any]:
    """Return the JSON object of the body.

    Raises:
        WrongMediaType: it is declared as something else.
        InvalidInput: it is no JSON object in UTF-8, or holds numbers or text that JSON does not have.
    """
    _check_media_type(request)
    try:
        data = json.loads(body_of(request).decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        raise InvalidInput("The body is not valid UTF-8.", code="invalid_utf8", change="Encode it as UTF-8.") from error
    except (ValueError, RecursionError) as error:  # ValueError: also a number of thousands of digits
        change = "Send one JSON object."
        raise InvalidInput("The body is not JSON that can be read.", code="invalid_json", change=change) from error
    if not isinstance(data, dict):
        raise InvalidInput("The body must be a JSON object.", code="invalid_json", change="Send one JSON object.")
    if not all(_is_text(text) for text in _texts(data)):
        raise InvalidInput(
            "The body holds half of a surrogate pair, which is no text.", code="invalid_text", change="Remove it."
        )
    return data


def _check_media_type(request: HttpRequest) -> None:
    header = Message()
    header["Content-Type"] = request.META.get("CONTENT_TYPE", "") or "none"
    charset = str(header.get_param("charset") or "utf-8").lower()
    if header.get_content_type() != MEDIA_TYPE or charset not in ("utf-8", "utf8"):
        change = f"Send the header 'Content-Type: {MEDIA_TYPE}' and JSON in UTF-8."
        raise WrongMediaType(f"This address reads {MEDIA_TYPE} only.", change=change)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _texts(value: Any) -> Iterator[str]:
    """Yield every text in a value; without recursion, because bodies may be nested deeply."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
