"""The worker that computes, as a child process: its command, and what it is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from release_portal.ops.supervisor import Child

CHECKOUT = Path(__file__).resolve().parents[2]
CELERY = (sys.executable, "-m", "celery", "--quiet")
QUIET = ("--without-gossip", "--without-mingle", "--loglevel=WARNING")


def worker_child() -> Child:
    """Return the worker, not yet started."""
    return Child("worker", [*CELERY, "-A", "inference.worker", "worker", "--pool=threads", *QUIET])


def worker_environment(redis_url: str, store: Path, permit_keys: str) -> dict[str, str]:
    """Return what a worker has to find in its environment, beside what the machine's owner has set.

    Args:
        redis_url: of broker and streams.
        store: of the weights.
        permit_keys: as `Keys.parse` reads them.
    """
    return {
        "REDIS_URL": redis_url,
        "INFERENCE_STORE": str(store),
        "INFERENCE_PERMIT_KEYS": permit_keys,
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",  # the worker loads from the store only
        "TOKENIZERS_PARALLELISM": "false",
        # The worker shares this machine: threads that spin long while they wait starve themselves and the others.
        "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "10000"),
        # Inside a container everything is root; nothing here unpickles what a queue brings.
        "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
    }
