"""A worker for tests: the worker's own task, stream and loop on a model that costs nothing."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import redis

from inference.contract import ended_key, stream_key
from inference.tasks import Runtime, serve
from release_portal.jobs.models import Job
from tests import fakes
from tests.conftest import wait_until


@dataclass
class Worker:
    """The worker's own task, stream and loop, on a model that says "x" for ever."""

    runtime: Runtime
    client: redis.Redis
    pause_at: int = 0  # step before which it waits for `go_on`; 0: never
    steps: int = 0

    def __post_init__(self) -> None:
        self.is_paused, self.go_on = threading.Event(), threading.Event()

    def before_step(self) -> None:
        self.steps += 1
        if self.steps == self.pause_at:
            self.is_paused.set()
            assert self.go_on.wait(20)

    def run(self, job: Job) -> threading.Thread:
        """Take the job's message from the queue and serve it in a thread, as the task does."""
        ((job_id, token),) = [message for message in fakes.queued_messages(self.client) if message[0] == job.pk]
        thread = threading.Thread(target=serve, args=(self.runtime, job_id, token))
        thread.start()
        return thread

    def end_of(self, job: Job) -> str:
        wait_until(lambda: self.client.exists(ended_key(job.pk)))
        return str(self.client.get(ended_key(job.pk)))

    def tokens_of(self, job: Job) -> int:
        return sum(1 for _, fields in self.client.xrange(stream_key(job.pk)) if fields["kind"] == "tokens")
