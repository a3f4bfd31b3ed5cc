"""Stop reading a request that is larger than the portal takes, also when its length was not announced."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class BodyTooLargeError(Exception):
    """The body goes on past the limit."""


def limit_body(application: Application, limit: int) -> Application:
    """Return the application with a limit on bodies; Django itself trusts the announced length.

    Args:
        limit: bytes; a request whose body goes on past twice this ends with 413 and a closed connection. (Up to there
            the middleware answers, in the shape of the interface.)
    """

    async def limited(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > 2 * limit and _is_unannounced(scope):
                raise BodyTooLargeError
            return message

        try:
            await application(scope, counted, send)
        except BodyTooLargeError:
            await _refuse(send, limit)

    return limited


def _is_unannounced(scope: dict[str, Any]) -> bool:
    return not any(name == b"content-length" for name, _ in scope.get("headers", []))


async def _refuse(send: Send, limit: int) -> None:
    error = {"message": f"The request is larger than {limit:,} bytes. Send less at a time.", "code": "too_large"}
    body = json.dumps({"error": {**error, "type": "invalid_request_error", "param": None}}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
