"""The portal's named, versioned keys."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings

from inference.contract import Keys


def keys_for(purpose: str) -> Keys:
    """Return the keys of one purpose: permit, content, provenance, watermark, signing."""
    return Keys.parse(settings.PORTAL_KEYS[purpose])


@lru_cache(maxsize=4)
def _box(text: str) -> MultiFernet:
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in Keys.parse(text).secrets.values()])


def seal(text: str) -> bytes:
    """Encrypt content for the database with the newest content key."""
    return _box(settings.PORTAL_KEYS["content"]).encrypt(text.encode())


def seal_bytes(data: bytes) -> bytes:
    """Encrypt a file with the newest content key."""
    return _box(settings.PORTAL_KEYS["content"]).encrypt(data)


def unseal_bytes(sealed: bytes) -> bytes:
    """Decrypt a file with whichever content key sealed it."""
    return _box(settings.PORTAL_KEYS["content"]).decrypt(sealed)


def unseal(sealed: bytes | memoryview) -> str:
    """Decrypt content with whichever content key sealed it."""
    return _box(settings.PORTAL_KEYS["content"]).decrypt(bytes(sealed)).decode()
