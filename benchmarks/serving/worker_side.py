"""A Redis and a worker as `manage.py up` starts them, without the portal before them."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path

import redis

from benchmarks.serving.store import linked_store
from inference.contract import WORKERS_KEY, WorkerState, worker_key
from release_portal.ops.redis_server import find_redis_server, free_port, redis_config
from release_portal.ops.supervisor import Child, Supervisor
from release_portal.ops.worker_child import worker_child, worker_environment
from tests.stack.portal import wait_for

START_SECONDS = 180.0


class WorkerSide:
    """The processes behind the queue.

    Args:
        home: folder for their store and their logs.
        folder: the model.
    """

    def __init__(self, home: Path, folder: Path) -> None:
        home.mkdir(parents=True)
        self.digest = linked_store(folder, home / "store")
        self.permit_keys = f"v1:{base64.b64encode(secrets.token_bytes(32)).decode()}"
        self._home, self._port, self._password = home, free_port(), secrets.token_hex()
        self.redis_url = f"redis://:{self._password}@127.0.0.1:{self._port}/0"
        told = worker_environment(self.redis_url, home / "store", self.permit_keys)
        environment = {**os.environ, **told, "INFERENCE_PRELOAD": self.digest}
        self._supervisor = Supervisor(environment, home, print, lambda pids: None)

    def start(self) -> None:
        """Start both and wait until the worker has the model in memory."""
        config = redis_config(self._port, self._password, self._home)
        self._supervisor.start(Child("redis", [find_redis_server(), "-"], stdin=config, is_quiet=True))
        with redis.Redis.from_url(self.redis_url, decode_responses=True) as client:
            wait_for(lambda: self._answers(client), "Redis")
            self._supervisor.start(worker_child())
            wait_for(lambda: self._has_loaded(client), "the worker", START_SECONDS)

    def stop(self) -> None:
        """Stop both."""
        self._supervisor.stop_all()

    def check(self) -> None:
        """Raise RuntimeError when one of them has ended."""
        for child in self._supervisor.children:
            if not child.is_running:
                raise RuntimeError(f"{child.name} ended:\n{(self._home / f'{child.name}.log').read_text()[-2000:]}")

    def _answers(self, client: redis.Redis) -> bool:
        self.check()
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False

    def _has_loaded(self, client: redis.Redis) -> bool:
        self.check()
        beats = client.mget([worker_key(name) for name in client.smembers(WORKERS_KEY)] or ["none"])
        return any(self.digest in WorkerState.from_json(beat).loaded for beat in beats if beat)
