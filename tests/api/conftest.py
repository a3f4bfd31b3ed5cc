"""People with tokens, and a caller that reads JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.test.client import BOUNDARY, encode_multipart

from release_portal.accounts.roles import SCOPES
from release_portal.accounts.services import create_token

EVERY_SCOPE = tuple(SCOPES)


@dataclass
class Caller:
    """Sends requests as one person's token, or as nobody."""

    secret: str = ""
    client: Client = field(default_factory=lambda: Client(raise_request_exception=False))

    def __call__(self, method: str, path: str, body: Any = None, *, key: str = "", **extra: Any) -> Any:
        """Send a request; a body that is bytes goes as it is."""
        headers = {"Authorization": f"Bearer {self.secret}"} if self.secret else {}
        headers |= {"Idempotency-Key": key} if key else {}
        data = body if isinstance(body, bytes) else json.dumps(body if body is not None else {})
        options = {"data": data, "content_type": "application/json"} if method not in ("GET", "HEAD") else {}
        return self.client.generic(method, path, headers=headers, **{**options, **extra})

    def get(self, path: str) -> Any:
        """Read."""
        return self("GET", path)

    def post(self, path: str, body: Any = None, **more: Any) -> Any:
        """Send."""
        return self("POST", path, body, **more)


@pytest.fixture
def api(world: Any) -> Callable[..., Caller]:
    """Return a function from an account's name to a caller with a token of the given scopes; nobody without a name."""

    def make(name: str = "", *scopes: str) -> Caller:
        if not name:
            return Caller()
        _, secret = create_token(
            world.actor(name), world.people[name], name="test", scopes=scopes or EVERY_SCOPE, at=world.at
        )
        return Caller(secret)

    return make


def multipart(data: bytes = b"Some words.", name: str = "a.txt", declared: str = "text/plain", **fields: str) -> bytes:
    """Return the parts of a form with one file, as clients send them."""
    return encode_multipart(BOUNDARY, {**fields, "file": SimpleUploadedFile(name, data, content_type=declared)})
