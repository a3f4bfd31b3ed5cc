"""One set-up for every test: a world with the demo's cast, clients by name, a Redis where one is needed, no torch."""

from __future__ import annotations

import importlib.abc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from pytest_django.plugin import blocking_manager_key

from tests.environment import HOME

hypothesis_settings.register_profile(
    "dev", max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.register_profile("ci", parent=hypothesis_settings.get_profile("dev"), max_examples=400)
hypothesis_settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

INFERENCE = Path(__file__).parent / "inference"
FORBIDDEN = ("torch", "transformers", "safetensors")


# --- No torch -------------------------------------------------------------------------------------------------------


class NoTorch(importlib.abc.MetaPathFinder):
    """Refuses what the portal must never import; import-linter does not see chains through third parties."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:
        """Refuse the forbidden packages, leave everything else to the others."""
        if name.partition(".")[0] in FORBIDDEN:
            raise ModuleNotFoundError(f"{name} is blocked outside tests/inference", name=name)


@pytest.fixture(autouse=True)
def no_torch(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Block torch, transformers and safetensors in every test that is not an inference test."""
    if INFERENCE in request.node.path.parents:
        return
    for name in FORBIDDEN:
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "meta_path", [NoTorch(), *sys.meta_path])


# --- Database and world ---------------------------------------------------------------------------------------------


def pytest_configure() -> None:
    """Hash passwords cheaply: nobody attacks the tests."""
    from django.conf import settings

    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings: None) -> None:
    """SQLite in a file, as in the embedded portal: in memory its locks are others."""
    from django.db import connection

    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(HOME / "test.sqlite3")


@cache
def moment_of_this_run() -> datetime:
    """When this run first asked, in whole seconds."""
    from release_portal.core.clock import now

    return now().replace(microsecond=0)


@pytest.fixture(scope="session")
def session_at() -> datetime:
    """When this run began, in whole seconds."""
    return moment_of_this_run()


@pytest.fixture
def at(session_at: datetime) -> datetime:
    """The time of the world: views that ask the real clock find its grants in force."""
    return session_at


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: Any, session_at: datetime) -> Iterator[None]:
    """Write the world into the fresh test database once; each test then works in a transaction that is undone."""
    from tests.world import build_world

    with django_db_blocker.unblock():
        build_world(session_at)
    yield
    with django_db_blocker.unblock():
        _end_connections_of_threads()


def _end_connections_of_threads() -> None:
    """Threads in which async views asked the database keep their connections; PostgreSQL drops nothing in use."""
    from django.db import connection

    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Write the world again once a transactional test has emptied the database: else every later test had to."""
    yield
    if nextitem is not None and _is_transactional(item):
        from tests.world import build_world

        with item.config.stash[blocking_manager_key].unblock():
            build_world(moment_of_this_run())


def _is_transactional(item: pytest.Item) -> bool:
    marker = item.get_closest_marker("django_db")
    is_marked = marker is not None and marker.kwargs.get("transaction", False)
    return is_marked or "transactional_db" in getattr(item, "fixturenames", ())


@pytest.fixture
def world(db: None, at: datetime) -> Any:
    """Catalogue, cast, grants, cards; the demo size has a revision whose weights are empty."""
    from tests.world import find_world

    return find_world(at)


@pytest.fixture
def client_of(world: Any) -> Callable[[str], Any]:
    """Return a function from an account's name (or "anonymous") to a Django test client that is signed in."""
    from django.test import Client

    def make(name: str) -> Any:
        client = Client(raise_request_exception=False)
        if name != "anonymous":
            client.force_login(world.people[name], backend="django.contrib.auth.backends.ModelBackend")
        return client

    return make


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> Callable[[], Any]:
    """Return a context in which what is scheduled on commit happens, although the test's transaction is undone."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


# --- Redis ----------------------------------------------------------------------------------------------------------


class RedisServer:
    """The embedded redis-server with the embedded configuration, on a free port."""

    def __init__(self, folder: Path) -> None:
        from release_portal.ops.redis_server import find_redis_server, free_port, redis_config

        self.port, self.password = free_port(), "tests"
        self.url = f"redis://:{self.password}@127.0.0.1:{self.port}/0"
        self._command = [find_redis_server(), "-"]
        self._config = redis_config(self.port, self.password, folder)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it empty and wait until it answers."""
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True
        )
        assert self._process.stdin is not None
        self._process.stdin.write(self._config)
        self._process.stdin.close()
        with redis.Redis.from_url(self.url) as client:
            wait_until(lambda: _answers(client))

    def stop(self) -> None:
        """Kill it; what it held is gone."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False


def wait_until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait for a state of another process or thread; fail when it does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("the state that was waited for did not come")
        time.sleep(0.01)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running Redis, for the whole run."""
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


def point_portal_at(url: str) -> None:
    """Make the portal's Redis clients and its Celery producer use this address from now on."""
    from kombu import pools

    from release_portal.celery import app
    from release_portal.core.redis_client import redis_client

    redis_client.cache_clear()
    app.conf.broker_url = url
    app.amqp._producer_pool = None
    app._pool = None
    pools.reset()  # kombu keeps pools by address: one that is only closed would be handed out again


@pytest.fixture
def portal_redis(redis_server: RedisServer, settings: Any) -> Iterator[redis.Redis]:
    """The portal's Redis, running and empty; yields the portal's own client."""
    from release_portal.core.redis_client import redis_client

    before = settings.REDIS_URL
    settings.REDIS_URL = redis_server.url
    point_portal_at(redis_server.url)
    client = redis_client()
    client.flushall()
    yield client
    client.close()
    point_portal_at(before)


@pytest.fixture
def service(portal_redis: redis.Redis) -> redis.Redis:
    """A Redis in which a lease is held and one worker lives, although nobody works: the queue only fills."""
    from tests.fakes import pretend_service

    pretend_service(portal_redis)
    return portal_redis
