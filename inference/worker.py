"""The Celery worker: `celery -A inference.worker worker --pool=threads`.

Importing this module imports torch, in the main thread: a lazy import that fails in the engine thread would leave
every request waiting.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from celery import Celery
from celery.signals import worker_init, worker_shutdown, worker_shutting_down
from kombu import Queue

from inference import tasks
from inference.backends import runtime
from inference.backends.loader import StoreLoader, open_backend
from inference.backends.weights import WeightsStore
from inference.engine.backend import LoadError
from inference.engine.loop import Engine
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf
from inference.engine.stream import RedisStream, connect
from inference.heartbeat import Heartbeat, Told
from inference.intake import Intake, queues_of, step_of
from inference.settings import WorkerSettings
from inference.watermark import GreenList

logger = logging.getLogger(__name__)

settings = WorkerSettings.read(os.environ)

app = Celery("inference", broker=settings.broker_url)
app.conf.update(
    accept_content=["json"],
    task_serializer="json",
    task_ignore_result=True,
    task_queues=[Queue(name) for name in sorted(queues_of(settings.sizes, settings.preload))],
    # A thread per request, which waits for its end: so the scheduler sees all of them, and Celery holds none back.
    worker_pool="threads",
    worker_concurrency=settings.takes,
    task_acks_late=False,
    worker_prefetch_multiplier=1,
    # What a killed worker had fetched and not begun comes back after this time; a request runs once by its claim.
    broker_transport_options={"visibility_timeout": 60},
    worker_enable_remote_control=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    worker_cancel_long_running_tasks_on_connection_loss=False,  # the engine ends its requests itself
)


@dataclass(frozen=True)
class Running:
    """What was started and has to be stopped."""

    engine: Engine
    heartbeat: Heartbeat
    intake: Intake


_running: list[Running] = []

app.steps["consumer"].add(step_of(lambda: _running[0].intake if _running else None))


@worker_init.connect
def start(**_: Any) -> None:
    """Start engine and heartbeat; a worker that cannot exits at once instead of taking requests."""
    worker_id = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    device = runtime.prepare(settings.device)
    shelf = _make_shelf(device)
    stream = RedisStream(connect(settings.redis_url), worker_id)
    engine = Engine(shelf, stream)
    engine.start()
    intake = Intake(worker_id, settings.sizes, settings.preload, settings.max_slots, lambda: sum(engine.counts()))
    told = Told(worker_id, device, settings.dtype, settings.sizes, settings.max_slots, settings.takes)
    heartbeat = Heartbeat(engine, stream, told, intake)
    heartbeat.start()
    tasks.install(tasks.Runtime(engine, stream, settings.keys))
    _running[:] = [Running(engine, heartbeat, intake)]
    _preload(shelf)


@worker_shutting_down.connect
def drain(**_: Any) -> None:
    """Hand back what has not begun, let the rest finish for a while; Celery waits for their tasks meanwhile."""
    for running in _running:
        running.intake.close()
        threading.Thread(target=running.engine.drain, args=(settings.drain_seconds,), daemon=True).start()


@worker_shutdown.connect
def stop(**_: Any) -> None:
    """Stop engine and heartbeat."""
    for running in _running:
        running.engine.stop()
        running.heartbeat.stop()
    _running.clear()


def _make_shelf(device: str) -> Shelf:
    open_folder = partial(
        open_backend,
        device=device,
        dtype=getattr(torch, settings.dtype),
        max_slots=settings.max_slots,
        max_context=settings.max_context,
        max_cache_tokens=settings.cache_tokens,
        watermark=_make_watermark(),
    )
    return Shelf(StoreLoader(WeightsStore(settings.store), open_folder), _new_scheduler, settings.memory_bytes)


def _make_watermark() -> GreenList | None:
    keys = settings.watermark_keys
    return GreenList(keys.secrets[keys.newest]) if keys else None


def _new_scheduler(cache_tokens: int) -> Scheduler:
    return Scheduler(
        settings.max_slots,
        settings.prefill_tokens,
        settings.max_waiting,
        max_waiting_of_share=settings.max_waiting_of_share,
        cache_tokens=cache_tokens,
        draft_tokens=settings.draft_tokens,
    )


def _preload(shelf: Shelf) -> None:
    for digest in settings.preload:
        try:
            shelf.give_back(shelf.borrow(digest))
        except LoadError as error:
            # Not fatal: the other sizes can be served, and a request for this one will say the same.
            logger.error("cannot preload %s: %s", digest, error)


__all__ = ["app", "drain", "start", "stop"]
