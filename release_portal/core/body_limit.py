"""Stop reading a request that is larger than its address takes, also when its length was not announced."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]


class BodyTooLargeError(Exception):
    """The body goes on past the limit."""


def limit_body(application: Application, limit_of: Callable[[str], int]) -> Application:
    """Return the application with a limit on bodies; Django itself reads what arrives before it asks how much it is.

    Args:
        limit_of: bytes for a path. A request that announces more is handed on without its body, so that the middleware
            answers in the shape of the interface and nothing is read; one that announces nothing and goes on past
            twice this ends with 413 and a closed connection.
    """

    async def limited(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await application(scope, receive, send)
            return
        limit, announced = limit_of(scope["path"]), _announced(scope)
        if announced is not None and announced > limit:
            await application(scope, _emptied(), send)
            return
        read = 0

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > 2 * limit and announced is None:
                raise BodyTooLargeError
            return message

        try:
            await application(scope, counted, send)
        except BodyTooLargeError:
            await _refuse(send, limit)

    return limited


def _announced(scope: dict[str, Any]) -> int | None:
    for name, value in scope.get("headers", []):
        if name == b"content-length":
            return int(value) if value.isdigit() else None
    return None


def _emptied() -> Receive:
    """Return a `receive` that says once that the body is over; after that nothing comes until the answer is sent."""
    is_told = False

    async def receive() -> Message:
        nonlocal is_told
        if is_told:
            await asyncio.Event().wait()
        is_told = True
        return {"type": "http.request", "body": b"", "more_body": False}

    return receive


async def _refuse(send: Send, limit: int) -> None:
    error = {"message": f"The request is larger than {limit:,} bytes. Send less at a time.", "code": "too_large"}
    body = json.dumps({"error": {**error, "type": "invalid_request_error", "param": None}}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
