"""A worker that serves what the tests submit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import pytest
import redis

from inference.engine.loop import Engine
from inference.engine.scheduler import Scheduler
from inference.engine.shelf import Shelf
from inference.engine.stream import RedisStream, connect
from inference.tasks import Runtime
from release_portal.core.clock import now
from release_portal.core.keys import keys_for
from tests import fakes
from tests.conftest import RedisServer
from tests.inference.fakes import FakeLoader
from tests.services.working import Worker
from tests.world import World, stored_digest


@pytest.fixture
def at(request: pytest.FixtureRequest, session_at: datetime) -> datetime:
    """The time of the world; beside a real worker this moment, for its clock ends a permit after 15 minutes."""
    return now().replace(microsecond=0) if "worker" in request.fixturenames else session_at


@pytest.fixture
def worker(world: World, redis_server: RedisServer, service: redis.Redis) -> Iterator[Worker]:
    loader, client = FakeLoader(), connect(redis_server.url)
    engine = Engine(Shelf(loader, lambda _: Scheduler(4, 64), 100), stream := RedisStream(client, fakes.WORKER))
    one = Worker(Runtime(engine, stream, keys_for("permit")), service)
    engine._shelf.borrow(stored_digest()).backend.before_step = one.before_step
    engine.start()
    yield one
    one.go_on.set()
    engine.stop()
    client.close()
