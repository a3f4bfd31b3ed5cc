"""What allows a request: a signed text that ends soon."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass


class PermitError(ValueError):
    """A permit that this worker must not act on."""


class PermitEndedError(PermitError):
    """A permit that was valid once, but whose end has passed."""


@dataclass(frozen=True)
class Permit:
    """Signed, short-lived order to the worker: what may be done, with which weights, under which epochs."""

    job_id: str
    size_id: str  # catalogue id, e.g. huggingfacetb/smollm2-135m-instruct
    weights_digest: str
    function: str
    expires_at: float  # unix seconds
    epochs: dict[str, int]  # "size:<id>", "policy" and, where a grant permits, "grant:<id>"

    def sign(self, keys: Keys) -> str:
        """Return the permit as text with the newest key's signature."""
        body = _encode(json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode())
        signed = f"{keys.newest}.{body}"
        return f"{signed}.{_encode(keys.mac(keys.newest, signed))}"

    @classmethod
    def verify(cls, token: str, keys: Keys, now: float) -> Permit:
        """Read a signed permit; raises PermitError for a wrong signature, unknown key or passed end."""
        try:
            version, body, signature = token.split(".")
            expected = keys.mac(version, f"{version}.{body}")
            if not hmac.compare_digest(expected, _decode(signature)):
                raise PermitError("signature does not match")
            permit = cls(**json.loads(_decode(body)))
        except (KeyError, TypeError, ValueError) as error:
            raise PermitError(f"not a permit: {error}") from error
        if now >= permit.expires_at:
            raise PermitEndedError("permit has ended")
        return permit


@dataclass(frozen=True)
class Keys:
    """Named, versioned secrets of one purpose; the first is used to sign, all are accepted."""

    secrets: dict[str, bytes]  # version -> secret, newest first

    @classmethod
    def parse(cls, text: str) -> Keys:
        """Read `v2:<base64>,v1:<base64>`; raises ValueError for anything else or a secret under 32 bytes."""
        secrets: dict[str, bytes] = {}
        for part in text.split(","):
            version, _, encoded = part.strip().partition(":")
            secret = base64.b64decode(encoded, validate=True)
            if not version or len(secret) < 32:
                raise ValueError("a key needs a version and at least 32 bytes, as version:base64")
            secrets[version] = secret
        return cls(secrets)

    @property
    def newest(self) -> str:
        """Version that signs."""
        return next(iter(self.secrets))

    def mac(self, version: str, text: str) -> bytes:
        """HMAC-SHA256 of text; raises KeyError for an unknown version."""
        return hmac.new(self.secrets[version], text.encode(), hashlib.sha256).digest()


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if _encode(data) != text:  # a permit has one spelling
        raise ValueError("not canonical base64")
    return data
