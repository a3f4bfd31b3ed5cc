"""The secret in a mailed single-use link: drawn once, mailed, and kept as a digest only."""

from __future__ import annotations

import hashlib
import secrets

BYTES = 32
LONGEST = 200  # of what somebody may send in place of one


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(BYTES)


def digest_of(token: str) -> str:
    """Return what is stored of a token."""
    return hashlib.sha256(token[:LONGEST].encode()).hexdigest()
