"""Loaded by pytest before Django reads its settings: every run has a PORTAL_HOME of its own, removed at exit.

`-p tests.environment` in pyproject.toml loads it. DATABASE_URL is left alone, so that the same suite runs against
PostgreSQL; everything else that the shell may hold is taken away, and Redis is an address where nobody listens.
"""

from __future__ import annotations

import atexit
import json
import os
import shutil
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
# What a developer's shell or the Makefile may have set.
TAKEN_AWAY = (
    "PORTAL_ENV",
    "DEBUG",
    "SECRET_KEY",
    "PUBLIC_URL",
    "REDIS_URL",
    "STORE_ROOT",
    "ALLOWED_HOSTS",
    "MAX_BODY_BYTES",
    "ATTACHMENT_ROOT",
    "ATTACHMENT_MAX_BYTES",
    "EMAIL_BACKEND",
    "EMAIL_VERIFICATION",
    "SECURE_SSL_REDIRECT",
    "BEHIND_TLS_PROXY",
    "HSTS_SECONDS",
    *(f"{purpose}_KEYS" for purpose in ("PERMIT", "CONTENT", "PROVENANCE", "WATERMARK", "SIGNING")),
)
NOBODY_LISTENS = "redis://127.0.0.1:1/0"

HOME = Path(tempfile.mkdtemp(prefix="portal-tests-"))
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

# Threads that spin long while they wait starve the other processes of a small machine.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")
# As many processes run beside this one as there are cores: each computes with one thread, and so do its children.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

for _name in TAKEN_AWAY:
    os.environ.pop(_name, None)
    os.environ.pop(f"{_name}_FILE", None)
os.environ.update(
    DJANGO_SETTINGS_MODULE="release_portal.settings",
    PORTAL_HOME=str(HOME),
    PORT="8765",
    MODEL_CACHE=str(CHECKOUT / ".cache" / "models"),
    LOG_LEVEL="WARNING",
)
(HOME / "static").mkdir()  # whitenoise warns when it is missing
(HOME / "run.json").write_text(json.dumps({"redis_url": NOBODY_LISTENS}), encoding="utf-8")
