"""Periodic work of this interface; the schedule stands in `release_portal.tasks`, by name."""

from __future__ import annotations

from celery import shared_task
from django.db import close_old_connections

from release_portal.api.idempotency import purge
from release_portal.core.clock import now


@shared_task(name="portal.purge_idempotency")
def purge_idempotency() -> None:
    """Forget stored answers after a day."""
    close_old_connections()
    purge(at=now())
