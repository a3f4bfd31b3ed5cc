"""A body that is too large is not read, whether its length was announced or not."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from release_portal.core.body_limit import limit_body
from release_portal.core.body_sizes import limit_of, takes_file, too_large

FILES = "/applications/a-1/attachments/"


class Client:
    """Sends a body chunk by chunk and counts what was asked for."""

    def __init__(self, chunks: int, *, announced: int | None, path: str = "/") -> None:
        headers = [] if announced is None else [(b"content-length", str(announced).encode())]
        self.scope = {"type": "http", "path": path, "headers": headers}
        self.chunks: Iterator[int] = iter(range(chunks, 0, -1))
        self.read, self.sent = 0, [{}]

    async def receive(self) -> dict[str, Any]:
        left = next(self.chunks)
        self.read += 1_000
        return {"type": "http.request", "body": b"x" * 1_000, "more_body": left > 1}

    async def send(self, message: Any) -> None:
        self.sent.append(dict(message))


async def server(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Reads the body whole, as Django does, then answers."""
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await send({"type": "http.response.start", "status": 200})


def ask(client: Client) -> int:
    """The status of the answer."""
    asyncio.run(
        limit_body(server, lambda path: 50_000 if "files" in path else 5_000)(client.scope, client.receive, client.send)
    )
    return int(client.sent[1]["status"])


def test_a_body_within_the_limit_is_read() -> None:
    client = Client(5, announced=5_000)
    assert (ask(client), client.read) == (200, 5_000)


def test_T37_of_two_announced_gigabytes_nothing_is_read() -> None:
    """Seen to fail with the application asked as before."""
    client = Client(2_000_000, announced=2_000_000_000)
    assert (ask(client), client.read) == (200, 0)  # the middleware behind it answers 413 from the header alone


def test_T37_of_unannounced_gigabytes_twice_the_limit_is_read() -> None:
    client = Client(2_000_000, announced=None)
    assert (ask(client), client.read) == (413, 11_000)


def test_each_address_has_its_own_limit() -> None:
    client = Client(40, announced=40_000, path="/files/")
    assert (ask(client), client.read) == (200, 40_000)


@pytest.mark.parametrize(
    ("path", "is_taken"),
    [
        (FILES, True),
        ("/api" + FILES, True),
        (FILES + "f-1/", False),
        ("/v1" + FILES, False),
        ("/applications/a/b/attachments/", False),
        ("/applications/a-1/", False),
        ("/", False),
    ],
)
def test_files_are_taken_at_their_own_addresses_only(path: str, is_taken: bool, settings: Any) -> None:
    assert takes_file(path) is is_taken
    assert limit_of(path) == (settings.UPLOAD_MAX_BYTES if is_taken else settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


@pytest.mark.parametrize(
    ("path", "is_taken"),
    [
        ("/v1/files", True),
        ("/batches/", True),
        ("/v1/files/f-1", False),
        ("/batches/b/", False),
        ("/v1/batches", False),
    ],
)
def test_files_of_requests_are_taken_where_a_batch_begins(path: str, is_taken: bool, settings: Any) -> None:
    assert limit_of(path) == (settings.BATCH_UPLOAD_MAX_BYTES if is_taken else settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
    assert ("file" in too_large(path).reason) is is_taken
