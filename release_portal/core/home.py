"""PORTAL_HOME: where an embedded portal keeps its database, secrets, weights and the address of its Redis."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path
from typing import Any

SECRETS_FILE = "secrets.json"
RUN_FILE = "run.json"
KEY_PURPOSES = ("permit", "content", "provenance", "watermark", "signing")


def load_secrets(home: Path) -> dict[str, str]:
    """Return the secrets of an embedded portal, made at the first start and readable by its owner only."""
    path = home / SECRETS_FILE
    if not path.exists():
        home.mkdir(parents=True, exist_ok=True)
        write_private(path, _new_secrets())
    stored: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return stored


def _new_secrets() -> dict[str, str]:
    fresh = {f"{purpose}_keys": f"v1:{base64.b64encode(secrets.token_bytes(32)).decode()}" for purpose in KEY_PURPOSES}
    return {
        **fresh,
        "secret_key": secrets.token_urlsafe(64),
        "redis_password": secrets.token_urlsafe(24),
        "demo_password": secrets.token_urlsafe(9),
    }


def write_private(path: Path, content: Any) -> None:
    """Write JSON whole or not at all, readable by the owner only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file, indent=1)
    part.replace(path)


def read_run(home: Path) -> dict[str, Any]:
    """Return what `manage.py up` wrote about the running portal; empty when none has run here."""
    try:
        run: dict[str, Any] = json.loads((home / RUN_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return run
