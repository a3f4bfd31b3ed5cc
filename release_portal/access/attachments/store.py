"""Where attachments lie: sealed, under names that say nothing, outside everything that is served as a file."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages

from release_portal.core.keys import seal_bytes, unseal_bytes


def storage() -> Storage:
    """Return the private storage; a lab with an object store names another class in the settings."""
    return storages["attachments"]


def put(data: bytes) -> str:
    """Seal bytes and write them under a new random name, which is returned."""
    return storage().save(secrets.token_hex(32), ContentFile(seal_bytes(data)))


@contextmanager
def keeping(data: bytes) -> Iterator[str]:
    """Write bytes for as long as what is done with their name succeeds; else they are gone again."""
    name = put(data)
    try:
        yield name
    except BaseException:
        discard(name)
        raise


def read(name: str) -> bytes:
    """Return the bytes that lie under a name."""
    with storage().open(name) as file:
        return unseal_bytes(file.read())


def discard(name: str) -> None:
    """Remove what lies under a name; nothing there is no error."""
    storage().delete(name)


def names_before(at: datetime) -> list[str]:
    """Return every name that was written before a time."""
    if not storage().exists(""):
        return []
    return [name for name in storage().listdir("")[1] if storage().get_modified_time(name) < at]
