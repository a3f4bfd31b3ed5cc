"""Is the process alive, and can the portal serve?"""

from __future__ import annotations

from collections.abc import Callable

import redis
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from inference.contract import LEASE_KEY
from release_portal.core.declare import public
from release_portal.core.redis_client import redis_client
from release_portal.jobs.workers import live_workers, serving
from release_portal.registry.models import ModelSize


@public
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer as long as the process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@public
def readyz(request: HttpRequest) -> JsonResponse:
    """Say for each part whether it serves: database, Redis, lease, and a live worker per served size."""
    checks: dict[str, Callable[[], str]] = {"database": _database, "redis": _redis, "lease": _lease, "worker": _worker}
    answers = {name: check() for name, check in checks.items()}
    body = {
        "ready": not any(answers.values()),
        "checks": {name: {"ok": not problem, "problem": problem} for name, problem in answers.items()},
    }
    return JsonResponse(body, status=200 if body["ready"] else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "the database does not answer"
    return ""


def _redis() -> str:
    try:
        redis_client().ping()
    except redis.RedisError:
        return "Redis does not answer"
    return ""


def _lease() -> str:
    try:
        return "" if redis_client().exists(LEASE_KEY) else "no process vouches for the epochs"
    except redis.RedisError:
        return "Redis does not answer"


def _worker() -> str:
    """Name the sizes with weights that no live worker serves."""
    try:
        sizes = ModelSize.objects.with_weights().prefetch_related("revisions")
        workers = live_workers(redis_client())
        missing = [
            one.slug for one in sizes if one.current_revision and not serving(workers, one.current_revision.digest)
        ]
    except (redis.RedisError, DatabaseError):
        return "cannot be known"
    return f"no live worker for {', '.join(missing)}" if missing else ""
