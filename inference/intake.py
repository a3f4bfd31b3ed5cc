"""What a worker takes of the Celery queues: which ones it empties, and how many requests it holds.

Celery's own consumer does the taking. Beside it stand two rules: a queue is added once its size is known, and whoever
has its slots full leaves the rest to a worker that has not.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from types import MethodType
from typing import Any

from celery import bootsteps
from celery.worker import state

from inference.contract import QUEUE, WorkerState, queue_of

logger = logging.getLogger(__name__)


def queues_of(sizes: Iterable[str], known: Iterable[str]) -> set[str]:
    """Queues that a worker empties: those of its sizes, or those of all that are known and the one of all sizes."""
    named = set(sizes)
    return {queue_of(digest) for digest in named} if named else {QUEUE, *(queue_of(digest) for digest in known)}


def is_free_elsewhere(worker_id: str, sizes: Iterable[str], others: Iterable[WorkerState]) -> bool:
    """Whether another worker, which serves all that this one serves, has a slot free."""
    return any(
        other.worker_id != worker_id
        and other.running + other.waiting < other.slots
        and (not other.sizes or (set(sizes) and set(sizes) <= set(other.sizes)))
        for other in others
    )


class Intake:
    """Adds queues to Celery's consumer, and says whether it may take one more request.

    Args:
        worker_id: name of this worker.
        sizes: weights digests that it serves; empty: all.
        known: weights digests that are known when it starts.
        slots: sequences that run at once; more is taken only while no other worker is free.
        held: sequences that the engine holds now.
    """

    def __init__(
        self, worker_id: str, sizes: tuple[str, ...], known: Iterable[str], slots: int, held: Callable[[], int]
    ) -> None:
        self._worker_id = worker_id
        self._sizes = sizes
        self._known = set(known)
        self._slots = slots
        self._held = held
        self._is_free_elsewhere = False
        self._is_closed = False
        self._consumer: Any = None
        self._added: set[str] = set()  # since the consumer last connected

    @property
    def is_attached(self) -> bool:
        """Whether Celery has begun to take requests."""
        return self._consumer is not None

    def attach(self, consumer: Any) -> None:
        """Take over a consumer that has connected (again); called by Celery's own thread."""
        qos = consumer.task_consumer.channel.qos
        was_allowed, most = qos.can_consume, consumer.pool.num_processes

        def can_consume(_: Any) -> bool:
            return self.may_take(len(state.reserved_requests), most) and bool(was_allowed())

        qos.can_consume = MethodType(can_consume, qos)
        self._added = set()
        self._consumer = consumer
        self._add_queues()

    def update(self, known: Iterable[str], others: Iterable[WorkerState]) -> None:
        """Follow what Redis tells; called by the heartbeat's thread."""
        self._known |= set(known)
        self._is_free_elsewhere = is_free_elsewhere(self._worker_id, self._sizes, others)
        self._add_queues()

    def close(self) -> None:
        """Take nothing more: what is handed back must not come back here."""
        self._is_closed = True

    def may_take(self, taken: int, most: int) -> bool:
        """Whether one more request may be taken beside those that have been."""
        if self._is_closed or taken >= most:
            return False
        return not self._is_free_elsewhere or max(taken, self._held()) < self._slots

    def _add_queues(self) -> None:
        consumer = self._consumer
        if consumer is None:
            return
        for name in sorted(queues_of(self._sizes, self._known) - self._added):
            self._added.add(name)
            consumer.call_soon(consumer.add_task_queue, name)  # Celery's own thread does it
        # Also wakes a consumer that took nothing because it was full: ends of requests alone do not.
        consumer.call_soon(_nothing)


def _nothing() -> None:
    """Is called to wake whoever calls it."""


def step_of(find: Callable[[], Intake | None]) -> type[bootsteps.StartStopStep]:
    """Celery's bootstep that hands each new consumer to the intake of this process."""

    class Attach(bootsteps.StartStopStep):
        """Runs after Celery's own step that makes the consumer of tasks."""

        requires = ("celery.worker.consumer.tasks:Tasks",)

        def start(self, parent: Any) -> None:
            intake = find()
            if intake is not None:
                intake.attach(parent)

    return Attach
